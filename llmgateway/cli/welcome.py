"""What the server says once it listens: where, to whom, and how to call it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmgateway.engine.reading import has_credential
from llmgateway.providers import Registry
from llmgateway.settings import Settings

__all__ = ["LAST_LINE", "Example", "Examples", "base_url", "welcome"]

LAST_LINE = "Ctrl+C stops it."
"""What the message ends with, for those who wait for it."""

_ALL_ADDRESSES = ("", "0.0.0.0", "::")
_ACCESS = {
    "local": (
        "local mode: no key is asked for. Whoever reaches this port may spend the stored "
        "provider keys; web pages and other machines do not reach it."
    ),
    "keys": "client keys: each request needs one, as `Authorization: Bearer`.",
    "open": (
        "OPEN: anybody may call with a provider key of his own; stored provider keys are for "
        "callers with a client key only."
    ),
}


@dataclass(frozen=True, slots=True)
class Example:
    """Something to try."""

    title: str
    code: str
    language: str = "sh"


class Examples(Protocol):
    """Makes what to try against a gateway at an address."""

    def __call__(self, base_url: str, *, with_key: bool = False) -> Sequence[Example]:
        """Return it; `with_key`: the gateway asks for a client key."""
        ...


def base_url(host: str, port: int) -> str:
    """Return the address at which this machine reaches a server that listens at `host`."""
    bare = host.removeprefix("[").removesuffix("]")
    name = "127.0.0.1" if bare in _ALL_ADDRESSES else f"[{bare}]" if ":" in bare else bare
    return f"http://{name}:{port}"


def welcome(
    settings: Settings,
    registry: Registry,
    host: str,
    port: int,
    *,
    demo: Examples | None = None,
) -> Iterator[str]:
    """Yield the lines of the start-up message; `demo`: what demo mode has to show."""
    url = base_url(host, port)
    everywhere = "  (and every other address of this machine)" if host in _ALL_ADDRESSES else ""
    yield f"llmgateway serves {url}/v1{everywhere}"
    yield f"access: {_ACCESS[settings.access]}"
    stored = [name for name in settings.providers if has_credential(name, settings, registry)]
    if stored:
        yield f"stored provider keys: {', '.join(stored)}"
    elif demo is None:
        yield "stored provider keys: none; callers bring their own"
    if settings.allow_loopback_upstreams:
        yield (
            "providers on this machine may be called (http://localhost:…), since only this machine "
            "can call here; allow_loopback_upstreams = false turns that off"
        )
    with_key = settings.access == "keys"
    if demo is not None:
        yield "demo mode: the provider `fake` answers; other providers work with your own keys"
    yield ""
    shown = demo(url, with_key=with_key) if demo else _examples(settings, stored, url)
    for example in shown:
        yield f"# {example.title}"
        yield example.code
        yield ""
    yield LAST_LINE


def _examples(settings: Settings, stored: Sequence[str], url: str) -> Iterator[Example]:
    """Yield how to call a server with real providers; MODEL and the keys are the reader's."""
    variable = "LLMGATEWAY_KEY" if settings.access == "keys" else "PROVIDER_KEY"
    named = settings.default_provider or next(iter(settings.providers), "openai")
    chosen = settings.default_provider is not None or settings.config is not None
    needs_key = settings.access != "local" or named not in stored
    headers = ["-H 'content-type: application/json'"]
    arguments = [f'base_url="{url}/v1"', 'api_key="any"']
    if needs_key:
        headers.insert(0, f'-H "authorization: Bearer ${variable}"')
        arguments[1] = f'api_key=os.environ["{variable}"]'
    if not chosen:
        headers.append(f"-H 'x-llmgateway-provider: {named}'")
        arguments.append(f'default_headers={{"x-llmgateway-provider": "{named}"}}')
    body = '{"model":"MODEL","messages":[{"role":"user","content":"Hello"}]}'
    lines = [f"curl -s {url}/v1/chat/completions", *headers, f"-d '{body}'"]
    yield Example("with curl", " \\\n  ".join(lines))
    inside = ",\n    ".join(arguments)
    yield Example("with the openai SDK", f"client = openai.OpenAI(\n    {inside},\n)", "python")
