"""The head of a translated request: what the codec, the row and the caller's options say in it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.test_translation import CHAT, MESSAGE, call, whole
from tests.scripted import ScriptedTransport

FILE: Any = {"type": "file", "file": {"file_id": "file_1"}}
WITH_A_FILE: Any = {**CHAT, "messages": [{"role": "user", "content": [FILE]}]}


async def head_of(body: Any, **head: str) -> dict[bytes, list[bytes]]:
    """Return what Anthropic is sent, each field with all its values."""
    transport = ScriptedTransport(whole(MESSAGE))
    await call(transport, "/v1/chat/completions", body, "anthropic", **head)
    fields: dict[bytes, list[bytes]] = {}
    for name, value in transport.requests[0].headers:
        fields.setdefault(name, []).append(value)
    return fields


@pytest.mark.parametrize("version", ["", "2026-10-21"], ids=["unsaid", "said"])
async def test_the_version_is_the_one_that_the_translation_is_written_for(version: str) -> None:
    fields = await head_of(CHAT, anthropic_version=version)

    assert [b"2023-06-01"] == fields[b"anthropic-version"]


async def test_betas_of_caller_and_translation_are_sent_once_each() -> None:
    plain = await head_of(WITH_A_FILE)
    (ours,) = plain[b"anthropic-beta"]
    both = await head_of(WITH_A_FILE, anthropic_beta=f"a-beta, {ours.decode()}")

    assert [b"a-beta," + ours] == both[b"anthropic-beta"]
