"""`llmgateway check`: says whether a file can be used, and what it comes to."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmgateway.cli.access import RefusedToStart, admit
from llmgateway.cli.server_file import (
    FileFault,
    FileFaults,
    ServerFile,
    parse_server_file,
    read_text,
)
from llmgateway.config import parse_config
from llmgateway.engine.demands import faults_of_config
from llmgateway.engine.outline import draw, outline, spell
from llmgateway.engine.resolve import resolve
from llmgateway.errors import InvalidConfig
from llmgateway.guardrails import known
from llmgateway.providers import EntryPointError, Registry, builtin
from llmgateway.settings import Settings

__all__ = ["check", "command"]

_BAD_FILE = 1


def command(path: Path, environment: Mapping[str, str]) -> int:
    """Print what is to be said about a file; returns the exit code."""
    try:
        print("\n".join(check(path, environment, builtin().discover())))
    except FileFaults as faults:
        words = list(faults.lines())
    except EntryPointError as error:
        words = [f"llmgateway check: {error}"]
    else:
        return 0
    print("\n".join(words), file=sys.stderr)
    return _BAD_FILE


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
        raise FileFaults(name, [FileFault(line, "", f"not valid JSON: {words}")]) from None
    try:
        config = parse_config(text)
        if faults := faults_of_config(config, known):
            raise InvalidConfig("Invalid guardrails", tuple(faults))
        if config.names_provider:
            lines = list(draw(resolve(config, registry, Settings())))
        else:
            lines = ["config: a policy; each request names its own provider"]
    except InvalidConfig as error:
        found = error.faults or (("", error.message),)
        raise FileFaults(name, [FileFault(None, key, words) for key, words in found]) from None
    return iter([f"{name} is a valid routing config.", *lines])


def _server_file(file: ServerFile, registry: Registry) -> Iterator[str]:
    yield "The file is a valid server config."
    yield f"listens at: {spell(file.server.host)}, port {file.server.port}"
    yield f"access: {_access(file)}"
    yield from outline(file.settings, registry, file.plan)


def _access(file: ServerFile) -> str:
    try:
        return admit(file.settings, file.server.host).access
    except RefusedToStart as refusal:
        return f"`serve` would refuse to start. {refusal}"
