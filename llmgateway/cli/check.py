"""`llmgateway check`: says whether a file can be used, and what it comes to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmgateway.cli.access import RefusedToStart, admit, is_loopback
from llmgateway.cli.server_file import (
    Fault,
    FileFaults,
    ServerFile,
    has_credential,
    parse_server_file,
    read_text,
)
from llmgateway.cli.tree import draw, spell
from llmgateway.config import DEFAULT_CONFIG, parse_config
from llmgateway.engine.resolve import origin_of, resolve
from llmgateway.errors import InvalidConfig, InvalidRequest
from llmgateway.providers import Registry
from llmgateway.settings import Settings

__all__ = ["check"]


def check(path: Path, environment: Mapping[str, str], registry: Registry) -> Iterator[str]:
    """Yield what is to be said about a usable file; raises `FileFaults` for any other.

    A JSON object is a routing config, everything else the server's TOML.
    """
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return _routing_config(text, path.name, registry)
    return _server_file(parse_server_file(text, path.name, environment, registry), registry)


def _routing_config(text: str, name: str, registry: Registry) -> Iterator[str]:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        words = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise FileFaults(name, [Fault(line, "", f"not valid JSON: {words}")]) from None
    try:
        config = parse_config(text)
        if config.names_provider:
            lines = list(draw(resolve(config, registry, Settings())))
        else:
            lines = ["config: a policy; each request names its own provider"]
    except InvalidConfig as error:
        found = error.faults or (("", error.message),)
        raise FileFaults(name, [Fault(None, key, words) for key, words in found]) from None
    return iter([f"{name} is a valid routing config.", *lines])


def _server_file(file: ServerFile, registry: Registry) -> Iterator[str]:
    yield "The file is a valid server config."
    yield f"listens at: {spell(file.server.host)}, port {file.server.port}"
    yield f"access: {_access(file)}"
    for name, stored in file.settings.providers.items():
        host = f", host {spell(origin_of(stored.base_url))}" if stored.base_url else ""
        kept = "key" if has_credential(name, file.settings, registry) else "no key"
        yield f"provider {name}: {kept} stored{host}{_plain_text(stored.base_url)}"
    if file.plan is not None:
        yield "requests without a config go to:"
        yield from draw(file.plan)
    elif file.settings.default_provider is not None:
        yield "requests without a config go to the default provider:"
        yield from _default(file.settings, registry)
    else:
        yield "requests without a config name their provider themselves"


def _access(file: ServerFile) -> str:
    try:
        return admit(file.settings, file.server.host).access
    except RefusedToStart as refusal:
        return f"`serve` would refuse to start. {refusal}"


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
