"""Streams: bytes kept, usage counted, beginnings held, ends told apart (B5)."""

from __future__ import annotations

import http.client
from typing import Any

import orjson
import pytest

from tests.http.client import Answer, Client, chat_body, encode
from tests.http.clients import HOSTS, BareUvloop
from tests.http.conftest import Serve
from tests.http.upstreams import (
    COMPLETION,
    CONTENT,
    DONE,
    FINISH,
    LAST,
    RESET,
    ROLE,
    STREAM_HEAD,
    FakeUpstream,
    RawUpstream,
    Step,
    answer,
    chunk,
    delta,
    event,
    head,
)

pytestmark = pytest.mark.parametrize("host", [*HOSTS, BareUvloop], indirect=True)

PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": chat_body("fake-tokens-7", stream=True),
    "/v1/completions": {"model": "fake-tokens-7", "prompt": "one", "stream": True},
    "/v1/responses": {"model": "fake-tokens-7", "input": "one", "stream": True},
}
ASKED = {"stream_options": {"include_usage": True}}


def direct(upstream: FakeUpstream, path: str, body: bytes) -> bytes:
    """Ask the fake provider itself."""
    port = int(upstream.base.rpartition(":")[2].removesuffix("/v1"))
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, body, {"content-type": "application/json"})
    data = connection.getresponse().read()
    connection.close()
    upstream.fake.requests.clear()
    return data


def events(body: bytes) -> list[Any]:
    """Return the data of each event: JSON, or the bytes of a sentinel."""
    found = []
    for block in body.split(b"\n\n"):
        data = b"".join(line[6:] for line in block.split(b"\n") if line.startswith(b"data: "))
        if data:
            found.append(data if data == b"[DONE]" else orjson.loads(data))
    return found


def usage_only(payload: Any) -> bool:
    return isinstance(payload, dict) and payload.get("choices") == [] and bool(payload.get("usage"))


# ---- good streams


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_passes_byte_for_byte(client: Client, upstream: FakeUpstream, path: str) -> None:
    more = {} if path == "/v1/responses" else ASKED
    body = encode({**PATHS[path], **more})
    expected = direct(upstream, path, body)
    found = client.post(path, body)

    assert found.whole
    assert expected == found.body
    assert body == upstream.fake.requests[0].body
    assert str(found.header("content-type")).startswith("text/event-stream")
    assert "no" == found.header("x-accel-buffering")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_usage_is_asked_for_counted_and_hidden(
    client: Client, upstream: FakeUpstream, path: str
) -> None:
    asked = direct(upstream, path, encode({**PATHS[path], **ASKED}))
    (usage,) = [payload["usage"] for payload in events(asked) if usage_only(payload)]
    found = client.post(path, PATHS[path])
    kept = [block for block in asked.split(b"\n\n") if b'"choices":[]' not in block]

    assert b"\n\n".join(kept) == found.body
    assert upstream.fake.requests[0].json()["stream_options"] == {"include_usage": True}
    counted = client.new_record().usage
    assert usage["prompt_tokens"] == counted.total_input
    assert usage["completion_tokens"] == counted.total_output > 0


@pytest.mark.parametrize("path", PATHS)
def test_usage_that_the_caller_asked_for_stays(
    client: Client, upstream: FakeUpstream, path: str
) -> None:
    found = client.post(path, {**PATHS[path], **ASKED})

    assert b'"usage":{' in found.body
    assert client.new_record().usage.total_output > 0


def test_the_usage_of_a_whole_answer_is_counted(client: Client) -> None:
    usage = client.chat("fake-tokens-7").json()["usage"]
    counted = client.new_record().usage

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (
        counted.total_input,
        counted.total_output,
    )


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_a_missing_sentinel_is_added(client: Client, path: str) -> None:
    found = client.post(path, {**PATHS[path], "model": "fake-tokens-3-no-done"})

    assert found.whole
    assert found.body.endswith(b"\n\ndata: [DONE]\n\n")
    assert 1 == found.body.count(b"[DONE]")


def play(raw: RawUpstream, client: Client, *steps: Step, **more: Any) -> Answer:
    """Ask for a stream that goes like this."""
    raw.answers([STREAM_HEAD, *steps])
    return client.chat(headers={"x-portkey-custom-host": raw.base}, stream=True, **more)


PING = b": keep-alive\n\n"
BYTES = [bytes([byte]) for byte in ROLE + CONTENT + FINISH + DONE]
LETTERS = delta("ü€😀")
GOOD = [
    pytest.param([chunk(ROLE + CONTENT + FINISH + DONE), LAST], id="one-chunk"),
    pytest.param([*map(chunk, BYTES), LAST], id="byte-by-byte"),
    pytest.param([chunk(PING + ROLE), chunk(PING + CONTENT + FINISH + DONE), LAST], id="pings"),
    pytest.param([chunk(CONTENT.replace(b"\n\n", b"\r\n\r\n") + FINISH + DONE), LAST], id="crlf"),
    pytest.param([chunk(LETTERS[:-15]), chunk(LETTERS[-15:] + FINISH + DONE), LAST], id="letters"),
    pytest.param([chunk(CONTENT + FINISH + DONE[:-2]), LAST], id="last-blank-line-missing"),
]  # fmt: skip


@pytest.mark.parametrize("steps", GOOD)
def test_a_stream_is_kept_however_it_is_cut(
    client: Client, raw: RawUpstream, steps: list[bytes]
) -> None:
    sent = b"".join(step.partition(b"\r\n")[2][:-2] for step in steps if step != LAST)
    found = play(raw, client, *steps)

    assert found.whole
    assert (
        found.body.removesuffix(b"\n") == sent.removesuffix(b"\n") or found.body == sent + b"\n\n"
    )
    assert b"error" not in found.body


def test_a_reset_after_the_end_is_nobodys_loss(client: Client, raw: RawUpstream) -> None:
    found = play(raw, client, chunk(ROLE + CONTENT + FINISH + DONE), RESET)

    assert found.whole
    assert client.new_record().error is None


def test_several_choices_end_when_all_have(client: Client, raw: RawUpstream) -> None:
    second = FINISH.replace(b'"index":0', b'"index":1')
    found = play(raw, client, chunk(CONTENT + FINISH + second), LAST, n=2)
    raw.answers([STREAM_HEAD, chunk(CONTENT + FINISH), LAST])
    cut = client.chat(headers={"x-portkey-custom-host": raw.base}, stream=True, n=2)

    assert (True, False) == (found.whole, cut.whole)


def test_a_stream_that_nobody_asked_for_passes(client: Client, raw: RawUpstream) -> None:
    raw.answers([STREAM_HEAD, chunk(ROLE + CONTENT + FINISH + DONE), LAST])
    found = client.chat(headers={"x-portkey-custom-host": raw.base})

    assert ROLE + CONTENT + FINISH + DONE == found.body


def test_events_come_as_they_are_sent(client: Client, raw: RawUpstream) -> None:
    gates = [raw.gate() for _ in range(3)]
    contents = [delta(f"piece {number}") for number in range(3)]
    steps: list[Step] = [STREAM_HEAD, chunk(ROLE + contents[0])]
    for gate, content in zip(gates, [*contents[1:], FINISH + DONE], strict=True):
        steps += [gate, chunk(content)]
    raw.answers([*steps, LAST])
    with client.open_chat(headers={"x-portkey-custom-host": raw.base}) as live:
        coming = live.events()
        assert ROLE == next(coming)
        for gate, content in zip(gates, contents, strict=True):
            assert content == next(coming)
            gate.open()
        assert live.rest().whole
    assert client.new_record().first_byte_ms is not None


# ---- what is held before the first content


NO = {"message": "no"}
NO_429 = {**NO, "code": 429}
FAIL_OVER = [
    pytest.param([answer({"error": NO}, 503)], 503, id="status"),
    pytest.param([STREAM_HEAD, chunk(event({"error": NO})), LAST], 502, id="error-event"),
    pytest.param([STREAM_HEAD, chunk(ROLE + event({"error": NO_429})), LAST], 429, id="error-429"),
    pytest.param([STREAM_HEAD, chunk(b"event: error\ndata: {}\n\n"), LAST], 502, id="named-error"),
    pytest.param([STREAM_HEAD, LAST], 502, id="no-event"),
    pytest.param([STREAM_HEAD, chunk(DONE), LAST], 502, id="only-the-sentinel"),
    pytest.param([STREAM_HEAD, chunk(ROLE), LAST], 502, id="only-a-role"),
    pytest.param([STREAM_HEAD, chunk(ROLE + PING)], 502, id="cut"),
    pytest.param([STREAM_HEAD, chunk(ROLE), RESET], 502, id="reset"),
    pytest.param([STREAM_HEAD, chunk(ROLE + CONTENT[:20])], 502, id="cut-within-content"),
    pytest.param([STREAM_HEAD, b"zz\r\n"], 502, id="bad-chunk"),
    pytest.param([RESET], 502, id="reset-at-once"),
    pytest.param([answer(COMPLETION)], 502, id="whole-answer"),
    pytest.param([answer(b"<html>", content_type="text/html")], 502, id="html"),
    pytest.param([answer(b"", content_type="text/event-stream")], 502, id="empty"),
    pytest.param([answer({"error": {**NO, "type": "overloaded_error"}})], 529, id="error-in-200"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "status"), FAIL_OVER)
def test_what_fails_before_content_is_tried_again(
    client: Client, raw: RawUpstream, steps: list[Step], status: int
) -> None:
    raw.answers(steps, [STREAM_HEAD, chunk(CONTENT + FINISH + DONE), LAST])
    config = {"provider": "fake", "custom_host": raw.base, "retry": {"attempts": 1}}
    found = client.chat(config=config, stream=True)

    assert (200, "1", True) == (found.status, found.field("retry-attempt-count"), found.whole)
    assert CONTENT + FINISH + DONE == found.body
    assert [status, 200] == [attempt.status for attempt in client.new_record().attempts]


@pytest.mark.parametrize(("steps", "status"), FAIL_OVER)
def test_what_fails_before_content_falls_back(
    client: Client, raw: RawUpstream, steps: list[Step], status: int
) -> None:
    raw.answers(steps)
    config = {
        "strategy": {"mode": "fallback"},
        "targets": [{"provider": "fake", "custom_host": raw.base}, {"provider": "fake"}],
    }
    found = client.chat(config=config, stream=True)

    assert (200, "config.targets[1]") == (found.status, found.field("last-used-option-index"))
    assert found.whole


@pytest.mark.parametrize(("steps", "status"), FAIL_OVER)
def test_what_fails_before_content_is_a_plain_error(
    client: Client, raw: RawUpstream, steps: list[Step], status: int
) -> None:
    raw.answers(steps)
    found = client.chat(headers={"x-portkey-custom-host": raw.base}, stream=True)

    assert (status, True) == (found.status, found.whole)
    assert found.error["message"]


@pytest.mark.parametrize(
    "limits", [{"hold_s": 0.05}, {"hold_bytes": 100}], ids=["by-time", "by-bytes"]
)
def test_a_held_beginning_goes_out_when_its_bound_is_reached(
    serve: Serve, raw: RawUpstream, limits: dict[str, Any]
) -> None:
    client = serve(limits=limits)
    gate = raw.gate()
    raw.answers([STREAM_HEAD, chunk(ROLE + PING), gate, chunk(CONTENT + FINISH + DONE), LAST])
    with client.open_chat(headers={"x-portkey-custom-host": raw.base}) as live:
        assert ROLE == next(live.events())
        gate.open()
        found = live.rest()

    assert ROLE + PING + CONTENT + FINISH + DONE == found.body
    assert found.whole


# ---- bad ends

BAD_ENDS = [
    pytest.param([], id="cut"),
    pytest.param([RESET], id="reset"),
    pytest.param([chunk(delta("more")[:25])], id="in-an-event"),
    pytest.param([LAST], id="no-finish-reason"),
    pytest.param([chunk(DONE), LAST], id="sentinel-but-no-finish"),
    pytest.param([b"zz\r\n"], id="bad-chunk"),
    pytest.param([b"fffff\r\nabc"], id="short-chunk"),
    pytest.param([chunk(delta("€")[:-12]), LAST], id="half-a-letter"),
]


@pytest.mark.parametrize("steps", BAD_ENDS)
def test_a_bad_end_is_told_by_one_error_event_and_a_cut(
    client: Client, raw: RawUpstream, steps: list[Step]
) -> None:
    gate = raw.gate()
    raw.answers([STREAM_HEAD, chunk(CONTENT), gate, *steps])
    with client.open_chat(headers={"x-portkey-custom-host": raw.base}) as live:
        assert CONTENT == next(live.events())
        gate.open()
        found = live.rest()
    told = [p["error"] for p in events(found.body) if isinstance(p, dict) and "error" in p]

    assert (200, False) == (found.status, found.whole)
    assert ["upstream_protocol_error"] == [error["code"] for error in told]
    assert found.field("trace-id") == told[0]["request_id"]
    assert found.body.endswith(b"\n\n")
    assert "upstream_protocol_error" == client.new_record().error
    assert 200 == client.new_record().attempts[-1].status


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", ["cut", "stall"])
def test_every_format_tells_of_a_bad_end_in_its_own_way(
    serve: Serve, path: str, fault: str
) -> None:
    # A limit is for what stalls alone: whatever holds up the machine must not look like it.
    client = serve(limits={"idle_s": 0.3}) if fault == "stall" else serve()
    found = client.post(path, {**PATHS[path], "model": f"fake-tokens-7-{fault}"})
    last = events(found.body)[-1]

    assert not found.whole
    assert {"cut": "upstream_protocol_error", "stall": "upstream_timeout"}[fault] == (
        last["error"]["code"]
    )
    if path == "/v1/responses":
        assert "error" == last["type"]


@pytest.mark.parametrize("path", PATHS)
def test_a_providers_own_error_event_passes_alone(client: Client, path: str) -> None:
    found = client.post(path, {**PATHS[path], "model": "fake-tokens-7-stream-error"})
    payloads = [payload for payload in events(found.body) if isinstance(payload, dict)]
    told = [p for p in payloads if p.get("error") or p.get("type") == "error"]

    assert 1 == len(told)
    assert not found.whole
    assert b"[DONE]" not in found.body
    assert client.new_record().error


def test_an_event_over_the_cap_ends_the_stream(serve: Serve, raw: RawUpstream) -> None:
    client = serve(limits={"max_event_bytes": 2000})
    found = play(raw, client, chunk(CONTENT), chunk(b"data: " + b"x" * 5000))

    assert not found.whole
    assert "upstream_too_large" == events(found.body)[-1]["error"]["code"]


def test_a_stream_over_the_calls_time_is_cut(serve: Serve) -> None:
    found = serve(limits={"total_s": 0.3}).chat("fake-tokens-1000-pace-20ms", stream=True)

    assert not found.whole
    assert "upstream_timeout" == events(found.body)[-1]["error"]["code"]


def test_a_cut_sound_is_cut(client: Client, raw: RawUpstream) -> None:
    raw.answers([head(content_type="audio/mpeg", content_length="9000000"), b"x" * 2_000_000])
    body = {"model": "m", "input": "x", "voice": "v"}
    found = client.post("/v1/audio/speech", body, x_portkey_provider="fake",
                        x_portkey_custom_host=raw.base)  # fmt: skip

    assert (200, False, 2_000_000) == (found.status, found.whole, len(found.body))
    assert "upstream_protocol_error" == client.new_record().error
