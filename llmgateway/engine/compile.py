"""Configs compiled once: from the text of a header to a plan, cached and bounded."""

from __future__ import annotations

from functools import lru_cache

from llmgateway.config import DEFAULT_CONFIG, Config, parse_config
from llmgateway.engine.plan import Plan
from llmgateway.engine.resolve import resolve
from llmgateway.providers import Registry
from llmgateway.settings import Settings


class Compiler:
    """Turns what a request says about routing into a plan.

    The cache is `lru_cache`'s own: safe from any thread, and a fault is never cached.
    """

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._default = None if settings.config is None else parse_config(settings.config)
        self.plan = lru_cache(maxsize=settings.limits.max_compiled_configs)(self._plan)

    def _plan(
        self,
        config: str | None,
        provider: str | None,
        options: tuple[tuple[str, str], ...],
        custom_host: bool,
    ) -> Plan:
        """Return the plan for a config's JSON text (None: the request sent none).

        Raises `InvalidConfig` or `InvalidRequest`.
        """
        parsed, trusted = self._parsed(config, provider)
        return resolve(
            parsed,
            self._registry,
            self._settings,
            provider=provider,
            options=dict(options),
            custom_host=custom_host,
            trusted=trusted,
        )

    def _parsed(self, config: str | None, provider: str | None) -> tuple[Config, bool]:
        if config is not None:
            return parse_config(config), False
        if provider is None and self._default is not None:
            return self._default, True
        return DEFAULT_CONFIG, False
