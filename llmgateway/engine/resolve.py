"""From a parsed config to a plan: known providers, their options, and where each may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from urllib.parse import urlsplit

from pydantic import SecretStr

from llmgateway.config import DEFAULT_CONFIG, Config, Leaf
from llmgateway.engine.client_keys import KEY_PREFIX
from llmgateway.engine.plan import Plan, StoredCredential, Target
from llmgateway.errors import InvalidConfig, InvalidRequest
from llmgateway.providers import PLANNED, Provider, Registry
from llmgateway.settings import ProviderSettings, Settings, client_key_digest
from llmgateway.types.documents import VirtualKey

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NO_SETTINGS = ProviderSettings()
_NONE: Mapping[str, VirtualKey] = {}
_ELSEWHERE = (
    "x-llmgateway-… says the same; a model written @provider/model names one too, and so does the "
    "setting default_provider."
)
_NO_PROVIDER = f"Either x-portkey-config or x-portkey-provider header is required. {_ELSEWHERE}"
_CONFIG_WITHOUT_PROVIDER = (
    "Either x-portkey-provider needs to be passed. Or the x-portkey-config header should have a "
    f"valid config with provider details in it. {_ELSEWHERE}"
)


def resolve(
    config: Config,
    registry: Registry,
    settings: Settings,
    *,
    provider: str | None = None,
    virtual_key: VirtualKey | None = None,
    options: Mapping[str, str] | None = None,
    custom_host: bool = False,
    trusted: bool = False,
    virtual_keys: Mapping[str, VirtualKey] = _NONE,
) -> Plan:
    """Return the plan of a config.

    `provider`, `virtual_key` and `options` are the request's own; they count only where the config
    names no provider. `virtual_keys` are those of the config's `slugs` that there are.
    With `custom_host` the request names the host, so a provider may lack an address.
    A `trusted` config is the operator's own: the hosts that it names are not the caller's.
    Raises `InvalidConfig` that names the JSON path of every target that cannot be called, or
    `InvalidRequest` where the request itself names the provider.
    """
    sources = _Sources(registry, settings, virtual_keys)
    if not config.names_provider:
        asked = _Asked(provider, virtual_key, options or {}, custom_host)
        return _resolve_root(config, sources, asked, trusted=trusted)
    targets: dict[str, Target] = {}
    faults: list[tuple[str, str]] = []
    names_host = False
    for stated in config.leaves():
        try:
            leaf, source = sources.of(stated)
            parts = _divide(leaf, source, {}, trusted=trusted)
            targets[leaf.path] = _target(leaf, source, settings, parts, custom_host)
        except InvalidRequest as fault:
            faults.append((fault_path(stated.path, fault.param), fault.message))
        else:
            names_host = names_host or _names_host(leaf, source.row, parts, trusted=trusted)
    if faults:
        raise InvalidConfig("Invalid config passed", faults)
    return Plan(config, targets, caller_names_host=names_host)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the request itself says of its target."""

    provider: str | None
    virtual_key: VirtualKey | None
    options: Mapping[str, str]
    custom_host: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """A provider, and what is stored for it."""

    row: Provider
    stored: ProviderSettings
    virtual_key: VirtualKey | None = None


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where credentials come from: the settings, and the virtual keys that a config may mean."""

    registry: Registry
    settings: Settings
    virtual_keys: Mapping[str, VirtualKey]

    def of(self, leaf: Leaf) -> tuple[Leaf, _Source]:
        """Find a leaf's; the leaf comes back without a slug in its model.

        Raises `InvalidRequest` where it names what is not there.
        """
        if leaf.virtual_key is not None:
            found = self.virtual_keys.get(leaf.virtual_key.removeprefix("@"))
            if found is None:
                raise InvalidRequest(
                    f"There is no virtual key {leaf.virtual_key[:64]!r} in this workspace.",
                    param="virtual_key",
                )
            return leaf, self.of_key(found)
        name = leaf.provider
        if name is None:
            name, leaf = self.out_of_model(leaf) or ("", leaf)
        return leaf, self.named(name)

    def named(self, name: str) -> _Source:
        """Find one by `@slug`, or by a provider's id with or without `@`."""
        if name.startswith("@") and (found := self.virtual_keys.get(name[1:])) is not None:
            return self.of_key(found)
        row = find(name, self.registry)
        return _Source(row, self.settings.providers.get(row.name, _NO_SETTINGS))

    def of_key(self, key: VirtualKey) -> _Source:
        """Return what a virtual key stands for."""
        stored = {**key.options, "api_key": key.api_key, "base_url": key.base_url}
        return _Source(
            find(key.provider, self.registry), ProviderSettings.model_validate(stored), key
        )

    def out_of_model(self, leaf: Leaf) -> tuple[str, Leaf] | None:
        """Take `@slug` out of the leaf's own model, if it is one that is known."""
        slug = leaf.slug
        if leaf.model_with_slug is None or slug is None:
            return None
        if slug not in self.virtual_keys and self.registry.get(slug) is None:
            return None
        model = leaf.model_with_slug.partition("/")[2]
        policy = replace(
            leaf.policy, override_params={**leaf.policy.override_params, "model": model}
        )
        return f"@{slug}", replace(leaf, policy=policy)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a leaf is made of, by whose it is."""

    key: str | None
    """The caller's own."""
    options: Mapping[str, str]
    """The caller's own."""
    held: ProviderSettings
    """The operator's: the settings' provider, and over it what the operator's own config says."""
    keyring: ProviderSettings
    """Whichever of the two brings the stored key: it is bound to the origin that this one names."""


def _divide(leaf: Leaf, source: _Source, asked: Mapping[str, str], *, trusted: bool) -> _Parts:
    """Tell the caller's from the operator's.

    A key in the operator's own config is stored like one in the settings: callers may use it, but
    it goes to the origin that the operator named and nowhere else.
    """
    stored = source.stored
    key, options = leaf.api_key, _plain(leaf.options)
    if not trusted:
        own = key.get_secret_value() if key else None
        return _Parts(own, {**options, **asked}, stored, stored)
    held = ProviderSettings.model_validate(
        {
            **stored.options,
            **options,
            "api_key": key or stored.api_key,
            "base_url": leaf.policy.custom_host or stored.base_url,
        }
    )
    secrets = {option.name for option in source.row.options if option.secret}
    brings_key = key is not None or not secrets.isdisjoint(options)
    return _Parts(None, asked, held, held if brings_key else stored)


def _resolve_root(config: Config, sources: _Sources, asked: _Asked, *, trusted: bool) -> Plan:
    """Resolve a config without provider and targets: a root leaf that the request completes."""
    (leaf,) = config.leaves()
    settings = sources.settings
    in_model = sources.out_of_model(leaf)
    if in_model is not None:
        name, leaf = in_model
        source = sources.named(name)
    elif asked.virtual_key is not None:
        source = sources.of_key(asked.virtual_key)
    elif named := asked.provider or settings.default_provider:
        source = sources.named(named)
    else:
        raise InvalidRequest(_NO_PROVIDER if config is DEFAULT_CONFIG else _CONFIG_WITHOUT_PROVIDER)
    known = {option.name for option in source.row.options}
    own = {key: value for key, value in asked.options.items() if key in known}
    parts = _divide(leaf, source, own, trusted=trusted)
    target = _target(leaf, source, settings, parts, asked.custom_host)
    names_host = _names_host(leaf, source.row, parts, trusted=trusted)
    return Plan(config, {leaf.path: target}, caller_names_host=names_host)


def _names_host(leaf: Leaf, row: Provider, parts: _Parts, *, trusted: bool) -> bool:
    urls = {option.name for option in row.options if option.is_url}
    in_config = leaf.policy.custom_host is not None and not trusted
    return in_config or not urls.isdisjoint(parts.options)


def find(name: str, registry: Registry) -> Provider:
    """Return the row of a provider id, with or without a leading `@`; else `InvalidRequest`."""
    wanted = name.removeprefix("@")
    row = registry.get(wanted)
    if row is not None:
        return row
    if wanted in PLANNED:
        raise InvalidRequest(
            f"Provider {wanted} is not available yet in this version; use another one.",
            param="provider",
        )
    near = get_close_matches(wanted, registry.names(), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise InvalidRequest(f"Invalid provider passed: {wanted[:64]!r}.{hint}", param="provider")


def _target(
    leaf: Leaf, source: _Source, settings: Settings, parts: _Parts, custom_host: bool
) -> Target:
    row, given, held = source.row, parts.options, parts.held
    secrets = {option.name for option in row.options if option.secret}
    defaults = {o.name: o.default for o in row.options if o.default is not None}
    public = {key: value for key, value in held.options.items() if key not in secrets}
    options = {**defaults, **public, **given}
    row.check_options({**options, **held.options, **given})
    _refuse_keys_of_ours([parts.key, *(given[key] for key in secrets & given.keys())], settings)
    hosted = custom_host or leaf.policy.custom_host is not None
    missing = [o.name for o in row.options if o.required and o.name not in options]
    base_url = held.base_url
    if base_url is None and not missing:
        # Settings may move a provider to another address; then its options form no URL there.
        base_url = row.base_url_for(options)
    if base_url is None and not hosted:
        what = missing[0] if missing else "custom_host"
        raise InvalidRequest(f"Provider {row.name} needs `{what}`.", param=what)
    return Target(
        path=leaf.path,
        provider=row,
        policy=leaf.policy,
        base_url=base_url.rstrip("/") if base_url else None,
        is_moved=held.base_url is not None,
        options=options,
        api_key=parts.key,
        has_own_secret=any(key in secrets for key in given),
        stored=_stored(row, parts.keyring, {**defaults, **parts.keyring.options}, secrets),
        virtual_key=source.virtual_key,
        chosen_model=next(
            (given[o.name] for o in row.options if o.is_model and o.name in given), None
        ),
    )


def _refuse_keys_of_ours(keys: Iterable[str | None], settings: Settings) -> None:
    """Refuse a config that would hand a key of this gateway to a provider."""
    digests = {digest.get_secret_value() for digest in settings.client_keys.values()}
    for key in keys:
        if key and (key.startswith(KEY_PREFIX) or client_key_digest(key) in digests):
            raise InvalidRequest(
                "`api_key` is a key of this gateway; put the provider's own key there, or leave it "
                "out to use the stored one.",
                param="api_key",
            )


def _stored(
    row: Provider, stored: ProviderSettings, options: dict[str, str], secrets: set[str]
) -> StoredCredential | None:
    secret_options = {key: value for key, value in options.items() if key in secrets}
    if stored.api_key is None and not secret_options:
        return None
    missing = any(o.required and o.name not in options for o in row.options)
    base_url = stored.base_url or (None if missing else row.base_url_for(options))
    return StoredCredential(
        origin=origin_of(base_url) if base_url else None,
        api_key=stored.api_key.get_secret_value() if stored.api_key else None,
        options=secret_options,
    )


def origin_of(url: str) -> str:
    """Return `scheme://host:port` of a URL, all in lower case and the port always there.

    Raises `InvalidRequest` for what is no http(s) URL with a host.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise InvalidRequest("Invalid custom host", param="custom_host") from None
    if not parts.hostname:
        raise InvalidRequest("Invalid custom host", param="custom_host")
    return f"{parts.scheme}://{parts.hostname}:{port}"


def fault_path(leaf_path: str, key: str | None) -> str:
    """Turn `config.targets[1]` and a key into the dotted path of a fault: `targets.1.provider`."""
    dotted = re.sub(r"\[(\d+)\]", r".\1", leaf_path).removeprefix("config").removeprefix(".")
    return ".".join(part for part in (dotted, key) if part)


def _plain(options: Mapping[str, str | SecretStr]) -> dict[str, str]:
    return {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in options.items()
    }
