"""Every fault, as a client sees it on the wire."""

from __future__ import annotations

import time
from typing import Any

import httpx
import openai
import pytest

from llmgateway.testing import FakeProvider
from llmgateway.testing.exchange import Message
from llmgateway.testing.server import serve_in_thread

SOON_S = 5.0


def ask(model: str, **more: Any) -> dict[str, Any]:
    """Return the body of a short question."""
    return {"model": model, "messages": [{"role": "user", "content": "one two"}], **more}


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("fake-401", openai.AuthenticationError, "invalid_api_key"),
        ("fake-404", openai.NotFoundError, "not_found"),
        ("fake-429", openai.RateLimitError, "rate_limit_exceeded"),
        ("fake-503", openai.InternalServerError, None),
        ("fake-503-twcie", openai.NotFoundError, "model_not_found"),
    ],
)
def test_a_status_raises_the_sdks_own_exception(
    client: openai.OpenAI, model: str, error: type[openai.APIStatusError], code: str | None
) -> None:
    with pytest.raises(error) as caught:
        client.post("/chat/completions", body=ask(model), cast_to=object)

    assert code == caught.value.code


def test_the_sdks_own_retries_see_a_count_to_its_end(
    client: openai.OpenAI, fake: FakeProvider
) -> None:
    patient = client.with_options(max_retries=2)
    patient.chat.completions.create(
        model="fake-429-twice-retry-after-1ms", messages=[{"role": "user", "content": "x"}]
    )

    assert 3 == len(fake.requests)


def test_tries_are_counted_for_each_call(http: httpx.Client) -> None:
    def status(call: str) -> int:
        headers = {"X-Client-Request-Id": call}
        body = ask("fake-503-once")
        return http.post("/chat/completions", json=body, headers=headers).status_code

    assert [503, 503, 200, 200, 503] == [status(call) for call in ("a", "b", "a", "b", "a")]


def test_an_endpoint_without_a_model_takes_its_script_from_the_query(http: httpx.Client) -> None:
    statuses = [http.get("/files", params={"fake": "503-once"}).status_code for _ in range(2)]

    assert [503, 200] == statuses


def test_retry_after_is_sent(http: httpx.Client) -> None:
    def fields(model: str) -> httpx.Headers:
        return http.post("/chat/completions", json=ask(model)).headers

    assert "2" == fields("fake-429-retry-after-2")["retry-after"]
    assert "50" == fields("fake-429-retry-after-50ms")["retry-after-ms"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_is_cut(http: httpx.Client, stream: bool) -> None:
    with (
        pytest.raises(httpx.RemoteProtocolError),
        http.stream("POST", "/chat/completions", json=ask("fake-cut", stream=stream)) as answer,
    ):
        assert 200 == answer.status_code
        received = b"".join(answer.iter_bytes())
        assert not received


def test_a_stream_breaks_with_an_error_event(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="fake-stream-error", messages=[{"role": "user", "content": "x"}], stream=True
    )
    seen: list[str] = []
    with pytest.raises(openai.APIError, match="in the middle"):
        for chunk in stream:
            seen.append(chunk.choices[0].delta.content or "")

    assert "You said:" == "".join(seen)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_error_comes_with_status_200(http: httpx.Client, stream: bool) -> None:
    answer = http.post("/chat/completions", json=ask("fake-early-error", stream=stream))

    assert 200 == answer.status_code
    assert answer.text.removeprefix("data: ").startswith('{"error":')


def test_the_sentinel_is_left_out(http: httpx.Client) -> None:
    def text(model: str) -> str:
        return http.post("/chat/completions", json=ask(model, stream=True)).text

    assert text("fake").endswith("data: [DONE]\n\n")
    assert "[DONE]" not in text("fake-no-done")


@pytest.mark.parametrize(
    ("model", "status", "content_type", "body"),
    [
        ("fake-html", 200, "text/html; charset=utf-8", "<!doctype"),
        ("fake-502-html", 502, "text/html; charset=utf-8", "<!doctype"),
        ("fake-bad-json", 200, "application/json", '{"id"'),
        ("fake-empty", 200, "application/json", ""),
    ],
)
def test_a_body_is_not_what_it_should_be(
    http: httpx.Client, model: str, status: int, content_type: str, body: str
) -> None:
    answer = http.post("/chat/completions", json=ask(model))

    assert (status, content_type) == (answer.status_code, answer.headers["content-type"])
    assert answer.text.startswith(body) and bool(answer.text) == bool(body)


@pytest.mark.parametrize("model", ["fake-hang", "fake-stall", "fake-slow-60", "fake-pace-60"])
def test_a_caller_who_leaves_is_noticed(http: httpx.Client, fake: FakeProvider, model: str) -> None:
    before = fake.arrivals
    with pytest.raises(httpx.ReadTimeout):
        http.post("/chat/completions", json=ask(model, stream=True), timeout=0.2)

    assert fake.wait_for_request(before + 1)
    assert fake.requests[-1].finished.wait(SOON_S)
    assert fake.requests[-1].disconnected.is_set()


def test_a_caller_who_stays_is_not_said_to_have_left(
    http: httpx.Client, fake: FakeProvider
) -> None:
    http.post("/chat/completions", json=ask("fake"))

    assert fake.requests[-1].finished.wait(SOON_S)
    assert not fake.requests[-1].disconnected.is_set()


def test_an_upload_that_stops_is_noticed(http: httpx.Client, fake: FakeProvider) -> None:
    def body() -> Any:
        yield b"--x\r\n"
        raise OSError("the disk is gone")

    before = fake.arrivals
    with pytest.raises(OSError, match="the disk"):
        http.post(
            "/files", content=body(), headers={"content-type": "multipart/form-data; boundary=x"}
        )

    assert fake.wait_for_request(before + 1)
    assert fake.requests[-1].finished.wait(SOON_S)
    assert fake.requests[-1].disconnected.is_set()


def test_waits_go_through_the_sleep_that_is_handed_in() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    with serve_in_thread(FakeProvider(sleep=sleep)) as server:
        httpx.post(
            f"{server.url}/v1/chat/completions",
            json=ask("fake-slow-900-pace-250ms", stream=True),
            trust_env=False,
        )

    assert 900 == waited[0]
    assert {0.25} == set(waited[1:])


def test_a_server_ends_soon_although_an_answer_hangs() -> None:
    fake = FakeProvider()
    with serve_in_thread(fake) as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{server.url}/v1/chat/completions",
                json=ask("fake-hang"),
                timeout=0.1,
                trust_env=False,
            )
        began = time.monotonic()

    assert time.monotonic() - began < SOON_S


def test_a_failed_start_is_told() -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "on purpose"})

    with pytest.raises(RuntimeError, match="did not start"), serve_in_thread(app):
        pass


async def test_websockets_are_not_served() -> None:
    with pytest.raises(RuntimeError, match="websocket"):
        await FakeProvider()({"type": "websocket"}, None, None)  # type: ignore[arg-type]  # unused
