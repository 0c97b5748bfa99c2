"""Configs compiled once: from what a request says about routing to a plan, cached and bounded."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from llmgateway.config import DEFAULT_CONFIG, Config, parse_config
from llmgateway.engine.demands import NO_DEMANDS, ConfigHooks, Demands, Guardrails
from llmgateway.engine.permit import check_config
from llmgateway.engine.plan import Plan
from llmgateway.engine.resolve import resolve
from llmgateway.errors import NotFound
from llmgateway.providers import Registry
from llmgateway.settings import Settings
from llmgateway.stores import Documents
from llmgateway.types.call import Call
from llmgateway.types.documents import VirtualKey

_SLUG = re.compile(r"pc-[\w-]{1,61}", re.ASCII)
_NO_KEYS: tuple[VirtualKey, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Stated:
    """A config, whose it is, and the slugs in it that may be virtual keys."""

    config: Config
    trusted: bool
    slugs: frozenset[str] = frozenset()
    hooks: ConfigHooks = ConfigHooks()
    is_settings: bool = False
    """Whether it stands in the settings: its guardrails are the operator's, and fail closed."""


_NONE = _Stated(DEFAULT_CONFIG, False)


class Compiler:
    """Turns what a request says about routing into a plan.

    The caches are `lru_cache`'s own: safe from any thread, and a fault is never cached. A plan is
    known by the config's text and by the virtual keys that it uses as they are now.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        documents: Documents,
        guardrails: Guardrails,
    ) -> None:
        self._guardrails = guardrails
        self._registry = registry
        self._settings = settings
        self._documents = documents
        default = None if settings.config is None else parse_config(settings.config)
        self._default = (
            _NONE if default is None else replace(_stated(default, True), is_settings=True)
        )
        most = settings.limits.max_compiled_configs
        self._parsed = lru_cache(maxsize=most)(_parsed)
        self._resolved = lru_cache(maxsize=most)(self._resolve)

    async def plan(self, call: Call, config: str | None) -> Plan:
        """Return the plan of a call; `config` is JSON text or a slug, None if it brings none.

        Raises `InvalidConfig`, `InvalidRequest`, or `NotFound` for a slug that is not there.
        """
        policy = call.principal.policy
        check_config(policy, config)
        config = config or policy.default_config
        if config is not None:
            return await self._plan(call, await self._stated(call, config.strip()))
        if call.provider is not None or call.virtual_key is not None:
            return await self.bare_plan(call)
        return await self._plan(call, self._default)

    async def bare_plan(self, call: Call) -> Plan:
        """Return the plan of what the call itself names, whatever configs there are."""
        return await self._plan(call, _NONE)

    async def plan_of_model(self, call: Call, model: str) -> Plan:
        """Return the plan of a call that asks for a model and has no config: `@slug/model`."""
        text = orjson.dumps({"override_params": {"model": model}}).decode()
        return await self._plan(call, self._parsed(text, False))

    async def _plan(self, call: Call, stated: _Stated) -> Plan:
        keys = await self._keys(call, stated.slugs) if stated.slugs else _NO_KEYS
        return self._resolved(
            stated,
            keys,
            call.provider,
            call.virtual_key,
            tuple(sorted(call.options.items())),
            call.overrides.custom_host is not None,
            await self._guardrails.demanded(call, stated.hooks) if call.is_guarded else NO_DEMANDS,
        )

    async def _stated(self, call: Call, config: str) -> _Stated:
        if not _SLUG.fullmatch(config):
            return self._parsed(config, False)
        found = await self._documents.config(call.principal.workspace, config)
        if found is None:
            raise NotFound(f"There is no config {config!r} in this workspace.")
        return self._parsed(found.text, True)

    async def _keys(self, call: Call, slugs: frozenset[str]) -> tuple[VirtualKey, ...]:
        workspace = call.principal.workspace
        found = [await self._documents.virtual_key(workspace, slug) for slug in sorted(slugs)]
        return tuple(key for key in found if key is not None)

    def _resolve(
        self,
        stated: _Stated,
        keys: tuple[VirtualKey, ...],
        provider: str | None,
        virtual_key: VirtualKey | None,
        options: tuple[tuple[str, str], ...],
        custom_host: bool,
        demands: Demands,
    ) -> Plan:
        plan = resolve(
            stated.config,
            self._registry,
            self._settings,
            provider=provider,
            virtual_key=virtual_key,
            options=dict(options),
            custom_host=custom_host,
            trusted=stated.trusted,
            virtual_keys={key.slug: key for key in keys},
        )
        return self._guardrails.guarded(plan, demands, closed=stated.is_settings)


def _parsed(text: str, trusted: bool) -> _Stated:
    return _stated(parse_config(text), trusted)


def _stated(config: Config, trusted: bool) -> _Stated:
    return _Stated(config, trusted, config.slugs, ConfigHooks.of(config))
