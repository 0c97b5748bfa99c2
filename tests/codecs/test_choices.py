"""Streams of chat and text completions: content, ends, errors and usage."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.choices import ChoicesWatch
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.types.usage import Usage
from tests.codecs.streams import COMMENT, DONE, chunk, event, feed

PRELUDE, CONTENT, ERROR = EventKind.PRELUDE, EventKind.CONTENT, EventKind.ERROR
TEXT = chunk({"content": "a"})
STOP = chunk(finish="stop")
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
USAGE_ONLY = event({"choices": [], "usage": COUNTS})


def watch(**request: Any) -> ChoicesWatch:
    """Begin to follow a stream that answers `request`."""
    return ChoicesWatch(request or None, "acme")


@pytest.mark.parametrize(
    "quiet",
    [
        chunk({"role": "assistant"}),
        chunk({"role": "assistant", "content": "", "refusal": None, "tool_calls": None}),
        chunk({"role": "assistant", "content": "", "reasoning": None, "reasoning_details": []}),
        chunk({}, finish="stop"),
        event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
        event({"choices": [], "usage": None}),
        event({"choices": [{"index": 0, "text": "", "finish_reason": None}]}),
        event({"choices": [{"index": 0, "delta": "odd"}, "odd"]}),
        event({"choices": "odd"}),
        event({"type": "ping"}),
        event(b"[]"),
        event(b"half a {"),
        COMMENT,
    ],
    ids=lambda event: event.data.decode()[-60:],
)
def test_what_no_reader_would_see_is_prelude(quiet: Event) -> None:
    assert [PRELUDE] == feed(watch(), quiet)


@pytest.mark.parametrize(
    "telling",
    [
        TEXT,
        chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]}),
        chunk({"content": "", "reasoning": "a"}),
        chunk({"reasoning_content": "a"}),
        chunk({"content": "", "reasoning_details": [{"type": "reasoning.encrypted"}]}),
        chunk({"refusal": "No."}),
        chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]}),
        chunk({"function_call": {"name": "f"}}),
        chunk({"audio": {"id": "a"}}),
        chunk({"images": [{"type": "image_url"}]}),
        event({"choices": [{"index": 0, "text": "a", "finish_reason": None}]}),
        event({"choices": [{"index": 0, "message": {"content": "a"}}]}),
    ],
    ids=lambda event: event.data.decode()[-60:],
)
def test_what_a_reader_sees_is_content(telling: Event) -> None:
    assert [CONTENT] == feed(watch(), telling)


def test_a_good_stream_ends_with_its_finish_reason_and_done() -> None:
    stream = watch()

    assert [CONTENT, CONTENT] == feed(stream, TEXT, TEXT)
    assert (False, b"") == (stream.ended_well, stream.owed())
    feed(stream, STOP)
    assert (True, b"data: [DONE]\n\n") == (stream.ended_well, stream.owed())
    assert [EventKind.USAGE, EventKind.DONE] == feed(stream, USAGE_ONLY, DONE)
    assert (True, b"") == (stream.ended_well, stream.owed())


def test_done_without_a_finish_reason_is_no_good_end() -> None:
    stream = watch()
    feed(stream, TEXT, DONE)

    assert (False, b"") == (stream.ended_well, stream.owed())


@pytest.mark.parametrize("finish", [None, 1, [], {}])
def test_a_finish_reason_is_text(finish: Any) -> None:
    stream = watch()
    feed(stream, chunk({"content": "a"}, finish=finish))

    assert not stream.ended_well


@pytest.mark.parametrize("spaced", ['"finish_reason": "stop"', '"finish_reason" :\n"stop"'])
def test_a_finish_reason_is_seen_in_any_spacing(spaced: str) -> None:
    stream = watch()
    feed(stream, TEXT, event(f'{{"choices": [{{"index": 0, "delta": {{}}, {spaced}}}]}}'.encode()))

    assert stream.ended_well


@pytest.mark.parametrize(
    "text", ['"finish_reason":"stop"', "finish_reason", "error", '"error":{"message":"m"}', "usage"]
)
def test_text_that_looks_like_a_key_is_content(text: str) -> None:
    stream = watch()

    assert [CONTENT, CONTENT] == feed(stream, TEXT, chunk({"content": text}))
    assert (None, None, False) == (stream.usage, stream.error, stream.ended_well)


def test_text_that_looks_like_a_key_hides_no_key() -> None:
    stream = watch()
    feed(stream, TEXT, chunk({"content": "finish_reason"}, finish="stop"))

    assert stream.ended_well


def test_after_content_an_event_without_keys_of_interest_is_not_parsed() -> None:
    assert [CONTENT, CONTENT] == feed(watch(), TEXT, event(b"{not JSON"))
    assert [CONTENT, PRELUDE] == feed(watch(n=2), TEXT, event(b"{not JSON"))


@pytest.mark.parametrize("request_", [{"n": 2}, {"prompt": ["a", "b"]}, {"prompt": [[1], [2]]}])
def test_all_choices_must_finish(request_: dict[str, Any]) -> None:
    stream = watch(**request_)
    feed(stream, TEXT, chunk({"content": "b"}, index=1), chunk(finish="stop", index=0))

    assert not stream.ended_well
    feed(stream, chunk(finish="length", index=1))
    assert stream.ended_well


def test_a_choice_that_never_began_is_missed() -> None:
    stream = watch(n=2)
    feed(stream, TEXT, STOP)

    assert not stream.ended_well
    feed(stream, DONE)
    assert stream.ended_well, "the provider says itself that this is all: it may ignore n"


def test_more_choices_than_asked_for_must_finish_too() -> None:
    stream = watch()
    first = [{"index": at, "delta": {"role": "assistant"}} for at in (0, 1)]
    feed(stream, event({"choices": first}), TEXT, STOP)

    assert not stream.ended_well
    feed(stream, chunk(finish="stop", index=1))
    assert stream.ended_well


@pytest.mark.parametrize(
    "request_",
    [
        {"n": 0},
        {"n": "2"},
        {"n": None},
        {"n": -1},
        {"prompt": "ab"},
        {"prompt": [1, 2]},
        {"n": 1.5},
    ],
)
def test_whatever_is_asked_for_one_choice_is_enough(request_: dict[str, Any]) -> None:
    stream = watch(**request_)
    feed(stream, TEXT, STOP)

    assert stream.ended_well


@pytest.mark.parametrize(
    ("bad", "status", "message"),
    [
        (event({"error": {"message": "m", "code": 429}}), 429, "m"),
        (event({"error": {"message": "m", "type": "rate_limit_error"}}), 429, "m"),
        (event({"error": {"message": "m", "type": "overloaded_error"}}), 529, "m"),
        (event({"error": {"message": "m", "status_code": 400}}, "error"), 400, "m"),
        (event({"error": "m"}), 502, "m"),
        (event({"error": "m", "status": 503, "choices": []}), 503, "m"),
        (event({"message": "m"}, "error"), 502, "m"),
        (event({"object": "error", "message": "m", "code": 400}), 400, "m"),
        (event({"type": "error", "message": "m"}), 502, "m"),
        (event(b"broken", "error"), 502, "broken"),
        (event(b"", "error"), 502, None),
        (event({"error": {"code": 500}}), 500, None),
        (event({"error": True}), 502, None),
        (chunk(error={"message": "m", "code": 502}, finish="stop"), 502, "m"),
        (event({"choices": [{"index": 0, "error": {"message": "m", "code": 503}}]}), 503, "m"),
        (chunk(x_groq={"error": "m"}), 502, "m"),
    ],
    ids=lambda value: value.data.decode() if isinstance(value, Event) else None,
)
@pytest.mark.parametrize("before", [(), (TEXT,), (TEXT, STOP)], ids=["first", "mid", "late"])
def test_a_provider_s_own_error_is_seen(
    bad: Event, status: int, message: str | None, before: tuple[Event, ...]
) -> None:
    stream = watch()
    kinds = feed(stream, *before, bad, DONE)

    assert [ERROR, EventKind.DONE] == kinds[-2:]
    assert (False, b"") == (stream.ended_well, stream.owed())
    assert stream.error is not None
    assert (status, "acme") == (stream.error.status, stream.error.provider)
    assert (message or stream.error.message) == stream.error.message


def test_the_first_of_two_errors_is_told() -> None:
    stream = watch()
    feed(stream, event({"error": "first"}), event({"error": "second"}))

    assert stream.error is not None
    assert "first" == stream.error.message


@pytest.mark.parametrize("empty", [None, {}, "", False])
def test_an_empty_error_is_none(empty: Any) -> None:
    stream = watch()

    assert [CONTENT, CONTENT] == feed(stream, TEXT, chunk(error=empty))
    assert stream.error is None


def test_the_last_usage_counts() -> None:
    stream = watch()
    early = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    feed(stream, chunk({"content": "a"}, usage=early), chunk({"content": "b"}, usage=COUNTS))

    assert Usage(input=3, output=2) == stream.usage


@pytest.mark.parametrize("bad", [{}, {"prompt_tokens": -1}, {"seconds": 1}])
def test_a_usage_that_cannot_be_believed_leaves_the_one_before(bad: dict[str, Any]) -> None:
    stream = watch()
    feed(stream, USAGE_ONLY, event({"choices": [], "usage": bad}))

    assert Usage(input=3, output=2) == stream.usage


def test_usage_beside_the_request_id_is_read() -> None:
    stream = watch()
    feed(stream, TEXT, chunk(finish="stop", x_groq={"id": "r", "usage": COUNTS}))

    assert Usage(input=3, output=2) == stream.usage
    assert stream.ended_well


def test_usage_with_choices_is_no_usage_only_chunk() -> None:
    assert [EventKind.CONTENT] == feed(watch(), chunk({"content": "a"}, usage=COUNTS))
    assert [EventKind.USAGE] == feed(watch(), event({"usage": COUNTS}))


@pytest.mark.parametrize("wire", [CHAT, COMPLETIONS], ids=lambda wire: wire.name)
def test_chat_and_completions_are_followed_alike(wire: Any) -> None:
    stream = wire.watch({"n": 2}, "acme")

    assert isinstance(stream, ChoicesWatch)
