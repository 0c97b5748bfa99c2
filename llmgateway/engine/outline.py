"""What settings come to, as text: who is called, with whose key, in which order."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from llmgateway.config import DEFAULT_CONFIG
from llmgateway.engine.plan import Plan
from llmgateway.engine.reading import has_credential
from llmgateway.engine.resolve import origin_of, resolve
from llmgateway.engine.tree import draw, spell
from llmgateway.errors import InvalidRequest
from llmgateway.providers import Registry
from llmgateway.settings import Settings

__all__ = ["draw", "is_loopback", "outline", "spell"]


def outline(settings: Settings, registry: Registry, plan: Plan | None) -> Iterator[str]:
    """Yield a line for each provider and target; `plan` is that of the default config."""
    for name, stored in settings.providers.items():
        host = f", host {spell(origin_of(stored.base_url))}" if stored.base_url else ""
        kept = "key" if has_credential(name, settings, registry) else "no key"
        yield f"provider {name}: {kept} stored{host}{_plain_text(stored.base_url)}"
    if plan is not None:
        yield "requests without a config go to:"
        yield from draw(plan)
    elif settings.default_provider is not None:
        yield "requests without a config go to the default provider:"
        yield from _default(settings, registry)
    else:
        yield "requests without a config name their provider themselves"


def is_loopback(host: str) -> bool:
    """Tell whether a server that listens at `host` is reached from this machine only.

    A name counts only if it is `localhost`: what any other stands for, a resolver decides.
    """
    bare = host.removeprefix("[").removesuffix("]")
    if bare.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    # `::ffff:127.0.0.1` is one for some Pythons and not for others.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None


def _plain_text(base_url: str | None) -> str:
    """Warn where keys would cross a network unencrypted."""
    if base_url is None or not origin_of(base_url).startswith("http:"):
        return ""
    host = origin_of(base_url).removeprefix("http://").rpartition(":")[0]
    return (
        "" if is_loopback(host) else " (WARNING: http, so keys and prompts can be read on the way)"
    )


def _default(settings: Settings, registry: Registry) -> Iterator[str]:
    try:
        yield from draw(resolve(DEFAULT_CONFIG, registry, settings))
    except InvalidRequest as error:
        yield f"config: {error.message}"
