"""Golden files of the chat codec and door: requests, answers and streams."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmgateway.codecs.base import Context
from llmgateway.codecs.chat import CHAT_CODEC, CHAT_DOOR
from tests.codecs.crossing import events_of, hub_chunks, written
from tests.codecs.golden import compare, golden_files, load
from tests.codecs.grammar import chat_chunks, check_chat
from tests.codecs.schemas import check

HERE = Path(__file__).parent


@pytest.mark.parametrize("path", golden_files(HERE, "request"))
def test_a_request_is_written(path: Path) -> None:
    given, ctx = load(path)
    encoded = CHAT_CODEC.encode_request(given, ctx)

    compare(path, {"sent": encoded.body, "dropped": encoded.dropped, "adjusted": encoded.adjusted})


@pytest.mark.parametrize("path", golden_files(HERE, "answer"))
def test_an_answer_is_read_and_shown(path: Path) -> None:
    given, ctx = load(path)
    hub = CHAT_CODEC.decode_response(given, ctx)
    strict = CHAT_DOOR.encode_response(hub, ctx)
    loose = CHAT_DOOR.encode_response(hub, loose_context(path))

    compare(path, {"hub": hub, "strict": strict, "loose": loose})
    check("CreateChatCompletionResponse", strict)


@pytest.mark.parametrize("path", golden_files(HERE, "stream"))
def test_a_stream_is_read_and_shown(path: Path) -> None:
    given, ctx = load(path)
    chunks = hub_chunks(CHAT_CODEC, events_of(*given), ctx)
    strict = written(CHAT_DOOR, chunks, ctx)
    loose = written(CHAT_DOOR, chunks, loose_context(path))

    check_chat(strict, asked=True)
    check_chat(loose, asked=True)
    compare(path, {"hub": chunks, "strict": chat_chunks(strict), "loose": chat_chunks(loose)})
    for chunk in chat_chunks(strict) if "custom" not in path.stem else ():
        check("CreateChatCompletionStreamResponse", chunk)


def loose_context(path: Path) -> Context:
    """Return a file's context for a caller without strict compliance."""
    return replace(load(path)[1], compliance=False)
