"""The unmodified `portkey-ai` SDK: only its base URL is ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from portkey_ai import AsyncPortkey, Portkey

# The SDK raises the exceptions of the `openai` that it ships with.
from portkey_ai._vendor import openai as vendored

from tests.sdk.stage import CLIENT_KEY, STORED_KEY, Stage

HELLO: Any = [{"role": "user", "content": "Hello you"}]
OPENAI = {"provider": "openai", "api_key": "sk-of-the-config"}
BACKUP = {"provider": "groq", "api_key": "gsk-of-the-config"}

Make = Callable[..., Any]
"""Makes a client; `Any`, since the SDK's annotations do not say what it answers at run time."""


@pytest.fixture(autouse=True)
def no_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's own environment holds must not count."""
    for name in ("PORTKEY_API_KEY", "PORTKEY_BASE_URL", "PORTKEY_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make(stage: Stage) -> Iterator[Make]:
    """Makes clients of the gateway that asks for a key, and closes them."""
    with ExitStack() as clients:

        def make(**options: Any) -> Any:
            options = {"base_url": stage.url, "api_key": CLIENT_KEY, **options}
            client = Portkey(**options)
            clients.callback(client.close)
            clients.callback(client.openai_client.close)
            return client

        yield make


@pytest.fixture
def client(make: Make) -> Any:
    """A client of the provider `openai`, whose key the gateway holds."""
    return make(provider="openai")


def target_of(answer: Any) -> str:
    """Return the path of the config's target that answered."""
    path: str = answer.get_headers()["last-used-option-index"]
    return path


# ---- the quickstart


@pytest.mark.parametrize("mode", ["local", "relay"])
def test_the_documented_quickstart_works_with_only_its_base_url_changed(
    mode: str, request: pytest.FixtureRequest, make: Make
) -> None:
    stage: Stage = request.getfixturevalue(mode)
    client = make(
        api_key=None, provider="openai", Authorization="sk-of-the-caller", base_url=stage.url
    )
    answer = client.chat.completions.create(
        messages=[{"role": "user", "content": "What's the weather like?"}], model="gpt-4o-mini"
    )
    sent = stage.fake.requests[-1]

    assert "You said: What's the weather like?" == answer.choices[0].message.content
    assert "Bearer sk-of-the-caller" == sent.headers.get("authorization")
    assert "gpt-4o-mini" == sent.json()["model"]


def test_the_portkey_key_of_the_environment_is_a_client_key(
    make: Make, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it, `Authorization` is free for the caller's own provider key."""
    monkeypatch.setenv("PORTKEY_API_KEY", CLIENT_KEY)
    client = make(api_key=None, provider="groq", Authorization="gsk-of-the-caller")
    client.chat.completions.create(messages=HELLO, model="m")
    (sent,) = stage.fake.requests

    assert "Bearer gsk-of-the-caller" == sent.headers.get("authorization")
    assert all(CLIENT_KEY.encode() not in value for _, value in sent.headers)


def test_a_stored_key_is_used_in_place_of_the_placeholder_that_the_sdk_sends(
    client: Any, stage: Stage
) -> None:
    client.chat.completions.create(messages=HELLO, model="m")

    assert f"Bearer {STORED_KEY}" == stage.fake.requests[0].headers.get("authorization")


def test_none_of_the_sdks_own_headers_reaches_the_provider(make: Make, stage: Stage) -> None:
    make(provider="openai", trace_id="t", metadata={"_user": "u"}, debug=False).embeddings.create(
        input="a", model="m"
    )
    names = [name.decode() for name, _ in stage.fake.requests[0].headers]

    assert not [name for name in names if name.startswith(("x-portkey-", "x-llmgateway-"))]


# ---- configs


def test_with_options_retries(client: Any, stage: Stage) -> None:
    retrying = client.with_options(config={"retry": {"attempts": 2}})
    answer = retrying.chat.completions.create(messages=HELLO, model="fake-503-twice")

    assert "You said: Hello you" == answer.choices[0].message.content
    assert "2" == answer.get_headers()["retry-attempt-count"]
    assert 3 == len(stage.fake.requests)


def test_a_config_may_be_an_object_or_its_json(make: Make) -> None:
    for config in (OPENAI, json.dumps(OPENAI)):
        answer = make(config=config).chat.completions.create(messages=HELLO, model="m")

        assert "config" == target_of(answer)


def test_a_single_target_is_used(make: Make) -> None:
    config = {"strategy": {"mode": "single"}, "targets": [BACKUP, OPENAI]}
    answer = make(config=config).chat.completions.create(messages=HELLO, model="m")

    assert ("config.targets[0]", "groq") == (target_of(answer), answer.get_headers()["provider"])


def test_a_fallback_takes_over(make: Make, stage: Stage) -> None:
    config = {
        "strategy": {"mode": "fallback", "on_status_codes": [429, 503]},
        "targets": [
            {**OPENAI, "retry": {"attempts": 1, "on_status_codes": [503]}},
            {**BACKUP, "override_params": {"model": "fake"}},
        ],
    }
    answer = make(config=config).chat.completions.create(messages=HELLO, model="fake-503")
    keys = [sent.headers.get("authorization") for sent in stage.fake.requests]

    assert "config.targets[1]" == target_of(answer)
    assert ["Bearer sk-of-the-config"] * 2 + ["Bearer gsk-of-the-config"] == keys


def test_a_load_is_balanced_by_weight(make: Make) -> None:
    none, all_ = {**OPENAI, "weight": 0}, {**BACKUP, "weight": 5}
    config = {"strategy": {"mode": "loadbalance"}, "targets": [none, all_]}
    client = make(config=config)
    paths = {target_of(client.chat.completions.create(messages=HELLO, model="m")) for _ in "abc"}

    assert {"config.targets[1]"} == paths


@pytest.mark.parametrize(
    ("plan", "expected"), [("pro", "config.targets[0]"), ("free", "config.targets[1].targets[1]")]
)
def test_conditions_decide_by_metadata_and_targets_nest(
    make: Make, plan: str, expected: str
) -> None:
    broken = {**OPENAI, "override_params": {"model": "fake-500"}}
    config = {
        "strategy": {
            "mode": "conditional",
            "conditions": [{"query": {"metadata.plan": {"$eq": "pro"}}, "then": "best"}],
            "default": "others",
        },
        "targets": [
            {"name": "best", **OPENAI},
            {"name": "others", "strategy": {"mode": "fallback"}, "targets": [broken, BACKUP]},
        ],
    }
    client = make(config=config, metadata={"plan": plan})
    answer = client.chat.completions.create(messages=HELLO, model="m")

    assert expected == target_of(answer)


# ---- heads


def test_headers_are_read_back_without_their_prefix(make: Make) -> None:
    client = make(provider="openai", trace_id="my-trace", metadata={"_user": "u"})
    head = client.chat.completions.create(messages=HELLO, model="m").get_headers()

    assert "my-trace" == head["trace-id"]
    assert ("openai", "config", "0", "DISABLED") == (
        head["provider"],
        head["last-used-option-index"],
        head["retry-attempt-count"],
        head["cache-status"],
    )


def test_metadata_and_strictness_are_taken_as_the_sdk_sends_them(make: Make, stage: Stage) -> None:
    for strict in (None, True, False):
        client = make(
            provider="openai",
            strict_open_ai_compliance=strict,
            metadata={"_user": "u"},
            trace_id=f"strict-{strict}",
        )
        client.chat.completions.create(messages=HELLO, model="m")

        assert {"_user": "u"} == stage.records.of(f"strict-{strict}").metadata


def test_a_custom_host_is_called_with_the_callers_own_key(
    make: Make, stage: Stage, provider: tuple[Any, str]
) -> None:
    client = make(provider="openai", Authorization="sk-mine", custom_host=f"{provider[1]}/own/v1")
    client.chat.completions.create(messages=HELLO, model="m")
    (sent,) = stage.fake.requests

    assert "/own/v1/chat/completions" == sent.path


@pytest.mark.parametrize("own_key", [None, "sk-mine"])
def test_a_custom_host_elsewhere_never_gets_the_stored_key(
    make: Make, stage: Stage, provider: tuple[Any, str], own_key: str | None
) -> None:
    """In place of a key that is not given, the SDK sends the word OPENAI_API_KEY."""
    elsewhere = provider[1].replace("127.0.0.1", "localhost") + "/v1"
    client = make(provider="openai", Authorization=own_key, config={"custom_host": elsewhere})
    client.chat.completions.create(messages=HELLO, model="m")
    (sent,) = stage.fake.requests

    assert f"Bearer {own_key or 'OPENAI_API_KEY'}" == sent.headers.get("authorization")


@pytest.mark.parametrize("listed", ["X_Tenant", "x-tenant"])
def test_named_headers_are_forwarded_and_others_are_not(
    make: Make, stage: Stage, listed: str
) -> None:
    """The SDK lists a header as its keyword is spelled, and sends it with dashes."""
    client = make(
        provider="openai",
        forward_headers=[listed],
        **{listed: "t-1", "x_other": "no"},
    )
    client.chat.completions.create(messages=HELLO, model="m")
    head = stage.fake.requests[0].headers

    assert ("t-1", None) == (head.get("x-tenant"), head.get("x-other"))


def test_a_time_limit_is_a_timeout(make: Make) -> None:
    client = make(provider="openai", request_timeout=50)
    with pytest.raises(vendored.APIStatusError) as caught:
        client.chat.completions.create(messages=HELLO, model="fake-hang")

    assert 408 == caught.value.status_code
    assert "Request exceeded the timeout sent in the request: 50ms" in str(caught.value)


def test_a_virtual_key_that_is_not_there_is_not_found(make: Make) -> None:
    with pytest.raises(vendored.NotFoundError, match="no virtual key 'mine' in this workspace"):
        make(virtual_key="mine").chat.completions.create(messages=HELLO, model="m")


# ---- errors


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, vendored.BadRequestError),
        (404, vendored.NotFoundError),
        (409, vendored.ConflictError),
        (422, vendored.UnprocessableEntityError),
        (429, vendored.RateLimitError),
        (500, vendored.InternalServerError),
        (503, vendored.InternalServerError),
    ],
)
def test_errors_are_the_sdks_own_and_are_not_sent_again(
    client: Any, stage: Stage, status: int, expected: type[Exception]
) -> None:
    """The SDK would retry a 5xx that has no trace id of Portkey's."""
    with pytest.raises(expected, match="openai error: This failure was asked for"):
        client.chat.completions.create(messages=HELLO, model=f"fake-{status}")

    assert 1 == len(stage.fake.requests)


@pytest.mark.parametrize("status", [401, 403])
def test_a_callers_own_key_that_is_refused_is_the_callers_affair(make: Make, status: int) -> None:
    expected = {401: vendored.AuthenticationError, 403: vendored.PermissionDeniedError}
    with pytest.raises(expected[status]):
        make(config=OPENAI).chat.completions.create(messages=HELLO, model=f"fake-{status}")


@pytest.mark.parametrize("key", [None, "pk-unknown"])
def test_an_unknown_key_is_refused(make: Make, key: str | None) -> None:
    with pytest.raises(vendored.AuthenticationError):
        make(api_key=key, provider="openai").chat.completions.create(messages=HELLO, model="m")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "Invalid config passed. You need to pass a valid json"),
        ({"strategy": {"mode": "random"}, "targets": [OPENAI]}, "strategy.mode"),
        ({"provider": "opnai", "api_key": "k"}, "Did you mean openai"),
    ],
)
def test_a_config_at_fault_is_a_bad_request(make: Make, config: Any, words: str) -> None:
    with pytest.raises(vendored.BadRequestError) as caught:
        make(config=config).chat.completions.create(messages=HELLO, model="m")

    assert words in str(caught.value)


# ---- endpoints


def test_a_chat_is_streamed(client: Any) -> None:
    stream = client.chat.completions.create(messages=HELLO, model="fake-tokens-5", stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert "word1 word2 word3 word4 word5" == text


def test_a_stream_that_breaks_raises(client: Any) -> None:
    stream = client.chat.completions.create(messages=HELLO, model="fake-cut-tokens-5", stream=True)
    with pytest.raises(vendored.APIError):
        list(stream)


def test_completions_and_embeddings_are_answered(client: Any) -> None:
    text = client.completions.create(prompt="Hello you", model="m").choices[0].text
    answer = client.embeddings.create(input=["a", "b"], model="m", encoding_format="float")

    assert "You said: Hello you" == text
    assert [16, 16] == [len(item.embedding) for item in answer.data]
    assert "openai" == answer.get_headers()["provider"]


def test_responses_are_answered_and_streamed(client: Any) -> None:
    made = client.responses.create(model="m", input="Hello")
    events = list(client.responses.create(model="m", input="Hello", stream=True))

    assert "You said: Hello" == made.output[0].content[0].text
    assert "response.completed" == events[-1].type


def test_images_are_made(client: Any) -> None:
    made = client.images.generate(prompt="a cat", model="m", response_format="b64_json")
    edited = client.images.edit(image=("a.png", b"one"), prompt="brighter", model="m")

    assert base64.b64decode(made.data[0].b64_json).startswith(b"\x89PNG")
    assert 1 == len(edited.data)


def test_sound_goes_both_ways(client: Any, tmp_path: Path) -> None:
    recording = tmp_path / "a.webm"
    recording.write_bytes(b"sound")
    spoken = client.audio.speech.create(input="two words", model="m", voice="alloy")
    with recording.open("rb") as file:
        heard = client.audio.transcriptions.create(file=file, model="m")

    assert 1024 == len(spoken.read())
    assert "A recording of 5 bytes." == heard.text


def test_files_come_and_go(client: Any) -> None:
    file = client.files.create(file=("a.jsonl", b'{"a": 1}\n'), purpose="batch")

    assert file.id == client.files.retrieve(file.id).id
    assert file.id in [listed.id for listed in client.files.list().data]
    assert b'{"a": 1}\n' == client.files.content(file.id).read()
    assert client.files.delete(file.id).deleted


def test_models_and_moderations_are_answered(client: Any) -> None:
    assert "fake-503" in [model.id for model in client.models.list().data]
    assert client.moderations.create(input="a forbidden one").results[0].flagged


async def test_the_async_client_works(stage: Stage) -> None:
    options: Any = {"provider": "openai", "api_key": CLIENT_KEY, "base_url": stage.url}
    client: Any = AsyncPortkey(**options)
    answer = await client.chat.completions.create(messages=HELLO, model="m")
    stream = await client.chat.completions.create(messages=HELLO, model="m", stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    embedded = await client.embeddings.create(input="a", model="m")
    with pytest.raises(vendored.RateLimitError):
        await client.chat.completions.create(messages=HELLO, model="fake-429")
    await client.openai_client.close()

    assert "You said: Hello you" == answer.choices[0].message.content == text
    assert "openai" == answer.get_headers()["provider"] == embedded.get_headers()["provider"]
