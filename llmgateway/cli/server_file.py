"""Reads the config file of the standalone server: TOML, the fields of `Settings`, and `[server]`.

All faults are found at once, each with its line and key. No value is ever shown: it may be a key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from llmgateway.cli.toml_lines import key_lines, line_of
from llmgateway.engine.check import Fault, dotted
from llmgateway.engine.plan import Plan
from llmgateway.engine.reading import read_settings, resolved, validated
from llmgateway.providers import Registry
from llmgateway.settings import Settings

__all__ = [
    "FileFault",
    "FileFaults",
    "ServerFile",
    "ServerSection",
    "parse_server_file",
    "read_text",
]

_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class FileFault:
    """One thing that is wrong with a file."""

    line: int | None
    key: str
    """`providers.openai.api_key`; empty if it is the file as a whole."""
    text: str


class FileFaults(Exception):
    """A file cannot be used, for all these reasons."""

    def __init__(self, name: str, faults: Sequence[FileFault]) -> None:
        super().__init__(f"{name} cannot be used")
        self.name = name
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.line or 0, fault.key)))

    def lines(self) -> Iterator[str]:
        """Yield one line for each fault, as compilers write them."""
        for fault in self.faults:
            place = self.name if fault.line is None else f"{self.name}:{fault.line}"
            yield f"{place}: {fault.key + ': ' if fault.key else ''}{fault.text}"


class ServerSection(BaseModel):
    """The table `[server]`; what the command line says counts more."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    """Where it listens; what is wider than loopback needs client keys."""
    port: int = Field(default=8787, ge=0, le=65535)
    """0: any free one; the start-up message names it."""
    grace_s: float = Field(default=30.0, ge=0, le=3600)
    """How long open answers may go on after SIGTERM."""


@dataclass(frozen=True, slots=True)
class ServerFile:
    """A config file that can be used."""

    settings: Settings = Settings()
    server: ServerSection = ServerSection()
    plan: Plan | None = None
    """The default routing config, resolved; None if there is none."""


def read_text(path: Path) -> str:
    """Return a file's text; raises `FileFaults` if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or "cannot be read"
    except UnicodeDecodeError:
        reason = "is not UTF-8 text"
    raise FileFaults(path.name, [FileFault(None, "", reason)])


def parse_server_file(
    text: str, name: str, environment: Mapping[str, str], registry: Registry
) -> ServerFile:
    """Return what a config file says; raises `FileFaults`."""
    data = _parsed(text, name)
    unset: list[Fault] = []
    found: list[Fault] = []
    said = resolved(data.pop("server", {}), ("server",), environment, unset)
    server = validated(ServerSection, said, ("server",), found)
    read = read_settings(data, environment, registry, beside=("server",))
    faults = [*read.faults, *unset, *(fault for fault in found if fault[0] not in dict(unset))]
    settings = read.settings
    if faults or settings is None or server is None:
        lines = key_lines(text)
        raise FileFaults(
            name, [FileFault(line_of(path, lines), dotted(path), words) for path, words in faults]
        )
    return ServerFile(settings, server, read.plan)


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        message = "it is nested too deep"
    place = _AT_LINE.search(message)
    line = int(place[1] or text.count("\n") + 1) if place else None
    words = _AT_LINE.sub("", message)
    raise FileFaults(name, [FileFault(line, "", f"not valid TOML: {words}")])
