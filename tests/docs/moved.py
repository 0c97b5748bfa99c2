"""Real providers at the fake one's address, so that examples with real names need no network."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import partial

import pytest

from llmgateway.providers import Registry, builtin
from llmgateway.transport.guard import AddressPolicy

MOVED = ("openai", "groq", "mistral-ai", "azure-openai")
"""The providers that the examples call."""


def moved_file(text: str, address: str) -> str:
    """Return a server's config file with these providers moved, where it says nothing else."""
    said = tomllib.loads(text).get("providers", {})
    for name in MOVED:
        line = f'base_url = "{address}"\n'
        if name not in said:
            text += f"\n[providers.{name}]\n{line}"
        elif "base_url" not in said[name]:
            text = text.replace(f"[providers.{name}]\n", f"[providers.{name}]\n{line}")
    return text


def move_in_process(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Move them for gateways of this process, which may also call this machine then."""
    rows = [replace(row, base_url=address) for row in builtin().values() if row.name in MOVED]
    moved: Registry = builtin().with_rows(rows)
    policy = partial(AddressPolicy, allow_loopback=True)
    monkeypatch.setattr("llmgateway.gateway.builtin", lambda: moved)
    monkeypatch.setattr(
        "llmgateway.transport.choice.AddressPolicy", lambda allowed, _: policy(allowed)
    )
