"""Settings held against the provider rows: what no model of them can know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib.util import find_spec

from llmgateway.config import Config, parse_config
from llmgateway.engine.demands import faults_of, faults_of_config
from llmgateway.engine.plan import Plan
from llmgateway.engine.resolve import find, origin_of, resolve
from llmgateway.errors import AddressRefused, InvalidConfig, InvalidRequest
from llmgateway.guardrails import known
from llmgateway.providers import Provider, Registry
from llmgateway.settings import ProviderSettings, Settings, UpstreamTransport
from llmgateway.transport.tls import TLSFileFault, contexts_for
from llmgateway.transport.url import Origin, split_url

KeyPath = tuple[str | int, ...]
Fault = tuple[KeyPath, str]
"""Where something is wrong, and what; never a value, which may be a secret."""


class SettingsFault(ValueError):
    """Settings that cannot be used; the message has a line for each fault, with its path."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{dotted(path)}: {words}" for path, words in faults))


def check_settings(settings: Settings, registry: Registry) -> tuple[list[Fault], Plan | None]:
    """Return what is wrong with settings, and the plan of their default config if it is sound."""
    faults = [
        *_provider_faults(settings, registry),
        *_transport_faults(settings),
        *((_keys_of(path), words) for path, words in faults_of(settings, known)),
    ]
    return faults, _plan(settings, registry, faults)


def dotted(path: KeyPath) -> str:
    """Return a path as one writes it: `config.targets[0].provider`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the hint at a word that is spelt nearly so, if there is one."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _provider_faults(settings: Settings, registry: Registry) -> Iterator[Fault]:
    if settings.default_provider is not None:
        try:
            find(settings.default_provider, registry)
        except InvalidRequest as error:
            yield ("default_provider",), error.message
    for name, stored in settings.providers.items():
        path = ("providers", name)
        row = registry.get(name)
        if row is not None:
            yield from _option_faults(row, stored, path)
            continue
        try:
            find(name, registry)
        except InvalidRequest as error:
            yield path, error.message
        else:
            yield path, f"write the provider's name as it is: {name.removeprefix('@')}"


def _option_faults(row: Provider, stored: ProviderSettings, path: KeyPath) -> Iterator[Fault]:
    if stored.base_url is not None:
        try:
            origin_of(stored.base_url)
        except InvalidRequest:
            yield (*path, "base_url"), "must be an address such as https://llm.example.com/v1"
    options = {option.name: option for option in row.options}
    known = [*ProviderSettings.model_fields, *options]
    for name, value in (stored.model_extra or {}).items():
        option = options.get(name)
        if option is None:
            hint = did_you_mean(name, known) or f"; there are: {', '.join(known)}"
            yield (*path, name), f"{row.name} has no such option{hint}"
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            yield (*path, name), "must be a text"
        elif option.choices and str(value) not in option.choices:
            yield (*path, name), f"must be one of {', '.join(option.choices)}"


def _transport_faults(settings: Settings) -> Iterator[Fault]:
    yield from _way_faults(settings.upstream_transport, ("upstream_transport",))
    seen: set[Origin] = set()
    for url, way in settings.upstream_transports.items():
        path = ("upstream_transports", url)
        try:
            origin, _ = split_url(url)
        except (AddressRefused, InvalidRequest) as error:
            yield path, error.message
            continue
        if origin in seen:
            yield path, f"{origin} stands here twice"
        seen.add(origin)
        yield from _way_faults(way, path)
        if origin.scheme == "http":
            for key in (key for key in _OF_TLS if getattr(way, key)):
                yield (*path, key), "is for TLS, so the origin must begin with https://"


def _way_faults(way: UpstreamTransport, path: KeyPath) -> Iterator[Fault]:
    if way.http2 and find_spec("h2") is None:
        yield (*path, "http2"), "needs the extra: pip install 'llmgateway[http2]'"
    try:
        contexts_for(way)
    except TLSFileFault as fault:
        yield (*path, fault.key), fault.words


_OF_TLS = ("http2", "ca_file", "client_certificate", "client_key")


def _plan(settings: Settings, registry: Registry, faults: list[Fault]) -> Plan | None:
    if settings.config is None:
        return None
    try:
        config = parse_config(settings.config)
        _check_named(config, settings)
        for path, words in faults_of_config(config, known):
            faults.append((("config", *_keys_of(path)), words))
        return resolve(config, registry, settings, trusted=True)
    except InvalidConfig as error:
        found = error.faults or (("", error.message),)
        faults += [(("config", *_split(path)), words) for path, words in found]
    except InvalidRequest as error:
        # A default provider that does not exist is a fault of its own key.
        if all(path != ("default_provider",) for path, _ in faults):
            faults.append((("config",), error.message))
    return None


def _check_named(config: Config, settings: Settings) -> None:
    if not config.names_provider and settings.default_provider is None:
        raise InvalidRequest("names no provider, and there is no default_provider either")


_STEP = re.compile(r"\.(\d+)(?=\.|$)")
_OF_LIST = re.compile(r"(\w+)\[(\d+)\]\.?(.*)", re.DOTALL)
_OF_TABLE = re.compile(r"(guardrails)\.([\w-]+)\.?(.*)", re.DOTALL)


def _keys_of(path: str) -> KeyPath:
    """Turn the path of a guardrail into the keys that a file has, and what is within its value."""
    path = _STEP.sub(r"[\1]", path)
    if found := _OF_LIST.fullmatch(path):
        name, index, rest = found.groups()
        return (name, int(index), rest) if rest else (name, int(index))
    if found := _OF_TABLE.fullmatch(path):
        return tuple(step for step in found.groups() if step)
    return (path,)


def _split(path: str) -> KeyPath:
    """Turn `targets.0.retry` into its steps."""
    return tuple(int(step) if step.isdecimal() else step for step in path.split(".") if step)
