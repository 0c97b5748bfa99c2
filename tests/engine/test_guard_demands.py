"""Who demands guardrails of a call: order, what fails closed, saved ones, what takes effect."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from llmgateway import Gateway
from llmgateway.errors import StoreUnavailable
from llmgateway.settings import client_key_digest
from llmgateway.stores import MemoryDocuments, MemoryKeyStore, MemoryRecords, StoredKey
from llmgateway.types.call import CallerPolicy
from llmgateway.types.documents import SavedConfig, SavedGuardrail, WorkspaceGuardrails
from llmgateway.types.http import Headers, HTTPRequest
from tests.scripted import ScriptedTransport, chat, world

CLIENT = "a-client-key-of-this-test"


def no(word: str, **more: Any) -> dict[str, Any]:
    """Return a guardrail against a word, with an id of the same name."""
    return {"default.contains": {"words": [word], "operator": "none"}, "id": word, **more}


UNDECIDED = {"default.regexMatch": {"rule": "a"}, "deny": True, "id": "undecided"}
"""It cannot decide about an empty text."""


def saved(slug: str, word: str, version: int = 1, **actions: Any) -> SavedGuardrail:
    parameters = {"words": [word], "operator": "none"}
    body = {
        "checks": [{"id": "default.contains", "parameters": parameters}],
        "actions": {"deny": True, **actions},
    }
    return SavedGuardrail(slug, orjson.dumps(body).decode(), version)


@dataclass
class Given:
    """A gateway with a client key of the workspace 1, and how to ask it."""

    settings: dict[str, Any] = field(default_factory=dict)
    policy: CallerPolicy = field(default_factory=CallerPolicy)
    documents: MemoryDocuments = field(default_factory=MemoryDocuments)
    workspace: str | None = "1"
    transport: ScriptedTransport = field(default_factory=ScriptedTransport)
    records: MemoryRecords = field(default_factory=MemoryRecords)
    gateway: Gateway = field(init=False)

    def __post_init__(self) -> None:
        stored = StoredKey("key:1", client_key_digest(CLIENT), self.workspace, policy=self.policy)
        self.gateway = Gateway(
            {
                "default_provider": "openai",
                "providers": {"openai": {"api_key": "sk-of-the-settings"}},
                **self.settings,
            },
            keys=MemoryKeyStore([stored]),
            documents=self.documents,
            records=self.records,
            transport=lambda: self.transport,
            world=world(self.transport),
        )

    async def ask(
        self, text: str = "Hello", answer: str = "Bat", config: Any = None, **head: str
    ) -> tuple[int, Any]:
        """Ask once; the provider answers once if it is asked."""
        self.transport.steps = [chat(answer)]
        if config is not None:
            raw = config if isinstance(config, str) else orjson.dumps(config).decode()
            head["x_portkey_config"] = raw
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        headers = Headers.of(
            authorization=f"Bearer {CLIENT}", content_type="application/json", **head
        )
        request = HTTPRequest("POST", "/v1/chat/completions", "", headers, orjson.dumps(body))
        got = await self.gateway.handle(request)
        assert isinstance(got.body, bytes)
        return got.status, orjson.loads(got.body)


def ids(body: Any, phase: str = "before_request_hooks") -> list[str]:
    return [hook["id"] for hook in body["hook_results"][phase]]


def demanding(*hooks: Any) -> str:
    return orjson.dumps(hooks).decode()


def by_everyone(stage: str) -> Given:
    """Return a gateway where settings, workspace and key each demand one."""
    given = Given(
        settings={f"{stage}_guardrails": [no("settings")]},
        policy=replace(CallerPolicy(), **{f"{stage}_guardrails": demanding(no("key"))}),  # type: ignore[arg-type]
    )
    given.documents.demand(
        "1", WorkspaceGuardrails(**{stage: demanding(no("workspace", deny=True))})
    )
    return given


@pytest.mark.parametrize("stage", ["input", "output"])
async def test_what_is_demanded_runs_first_and_always(stage: str) -> None:
    given = by_everyone(stage)
    phase = "before_request_hooks" if stage == "input" else "after_request_hooks"
    config = {f"{stage}_guardrails": [no("config")]}
    header = {f"x_portkey_default_{stage}_guardrails": demanding(no("header"))}
    _, bare = await given.ask()
    _, whole = await given.ask(config=config, **header)

    assert ["settings", "workspace", "key"] == ids(bare, phase)
    assert ["settings", "workspace", "key", "config", "header"] == ids(whole, phase)


@pytest.mark.parametrize(
    "config",
    [
        {"input_guardrails": []},
        {"before_request_hooks": []},
        {"default_input_guardrails": []},
        {"input_guardrails": [no("workspace", deny=False)]},
        {"input_guardrails": [{**no("other"), "id": "workspace", "fail_on_error": False}]},
        {
            "strategy": {"mode": "single"},
            "targets": [{"provider": "openai", "input_guardrails": []}],
        },
        {"targets": [{"provider": "openai"}], "strategy": {"mode": "fallback"}},
    ],
)
async def test_no_config_removes_or_loosens_what_is_demanded(config: Any) -> None:
    given = by_everyone("input")
    status, body = await given.ask("of the workspace", config=config)

    assert 446 == status
    assert ["settings", "workspace", "key"] == ids(body)[:3]
    assert [] == given.transport.requests


async def test_no_header_loosens_it_either() -> None:
    given = by_everyone("input")
    header = {"x_portkey_default_input_guardrails": "[]", "x_portkey_hook_events": "true"}

    assert 446 == (await given.ask("of the workspace", **header))[0]


# ---- what fails closed


@pytest.mark.parametrize(
    ("who", "status"),
    [("settings", 446), ("workspace", 446), ("key", 446), ("config", 200), ("header", 200)],
)
@pytest.mark.parametrize("stated", [None, True, False])
async def test_what_cannot_decide_denies_where_it_is_demanded(
    who: str, status: int, stated: bool | None
) -> None:
    hook = UNDECIDED if stated is None else {**UNDECIDED, "fail_on_error": stated}
    given = Given(
        settings={"input_guardrails": [hook]} if who == "settings" else {},
        policy=CallerPolicy(input_guardrails=demanding(hook)) if who == "key" else CallerPolicy(),
    )
    if who == "workspace":
        given.documents.demand("1", WorkspaceGuardrails(input=demanding(hook)))
    config = {"input_guardrails": [hook]} if who == "config" else None
    header = {"x_portkey_default_input_guardrails": demanding(hook)} if who == "header" else {}
    got, body = await given.ask("", config=config, **header)
    (told,) = body["hook_results"]["before_request_hooks"]

    if stated is not None:
        status = 446 if stated else 200
    assert (status, status != 200) == (got, told["deny"])
    assert "error" in told["checks"][0]
    assert (status != 200) is told["checks"][0]["fail_on_error"]


async def test_the_settings_own_config_fails_closed() -> None:
    config = {"provider": "openai", "input_guardrails": [UNDECIDED]}

    assert 446 == (await Given(settings={"config": config}).ask(""))[0]


async def test_a_check_says_for_itself() -> None:
    open_check = {"default.regexMatch": {"rule": "a", "failOnError": False}, "deny": True}
    closed_check = {"default.regexMatch": {"rule": "a", "failOnError": True}, "deny": True}

    assert 200 == (await Given(settings={"input_guardrails": [open_check]}).ask(""))[0]
    assert 446 == (await Given().ask("", config={"input_guardrails": [closed_check]}))[0]


# ---- saved guardrails


def with_saved(**more: Any) -> Given:
    given = Given(**more)
    given.documents.put("1", saved("pg-mine", "one", 1))
    given.documents.put("1", saved("pg-mine", "two", 2))
    given.documents.put(None, saved("pg-shared", "shared"))
    given.documents.put("2", saved("pg-others", "others"))
    return given


@pytest.mark.parametrize(
    ("slug", "denied", "passed"),
    [
        ("pg-mine", "two", "one"),
        ("pg-mine@1", "one", "two"),
        ("pg-mine@2", "two", "one"),
        ("pg-shared", "shared", "one"),
        ({"id": "pg-mine"}, "two", "one"),
    ],
)
async def test_a_config_names_saved_ones(slug: Any, denied: str, passed: str) -> None:
    given = with_saved()
    config = {"input_guardrails": [slug]}

    assert 446 == (await given.ask(denied, config=config))[0]
    assert 200 == (await given.ask(passed, config=config))[0]


async def test_a_saved_config_names_them_too() -> None:
    given = with_saved()
    config = {"input_guardrails": ["pg-mine"], "provider": "openai"}
    given.documents.put("1", SavedConfig("pc-mine", orjson.dumps(config).decode()))

    assert 446 == (await given.ask("two", config="pc-mine"))[0]


@pytest.mark.parametrize("slug", ["pg-others", "pg-none", "pg-mine@3"])
async def test_one_that_is_not_there_is_a_fault_with_its_path(slug: str) -> None:
    status, body = await with_saved().ask(config={"input_guardrails": [no("a"), slug]})

    assert 400 == status
    assert "input_guardrails[1]" in str(body)
    assert slug.partition("@")[0] in str(body)


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ({"default.contians": {"words": ["a"]}}, "did you mean 'default.contains'?"),
        ({"contains": {"words": "a", "operator": "none"}}, "words"),
        ({"default.contains": {"wrods": ["a"], "operator": "none"}}, "wrods"),
        ({"default.regexMatch": {"rule": "(?=a)b"}}, "rule"),
    ],
)
@pytest.mark.parametrize("where", ["config", "header"])
async def test_an_unknown_check_or_parameter_is_a_400_with_its_path(
    hook: Any, words: str, where: str
) -> None:
    if where == "config":
        status, body = await Given().ask(config={"input_guardrails": [hook]})
        path = "input_guardrails[0]"
    else:
        head = {"x_portkey_default_input_guardrails": demanding(hook)}
        status, body = await Given().ask(**head)
        path = "guardrails[0]"

    assert 400 == status
    assert words in str(body)
    assert path in str(body)


async def test_a_workspace_cannot_shadow_those_of_the_settings() -> None:
    given = Given(
        settings={"guardrails": {"pg-house": no("house", deny=True)}},
    )
    given.documents.put("1", saved("pg-house", "other"))
    config = {"input_guardrails": ["pg-house"]}

    assert 446 == (await given.ask("the house", config=config))[0]
    assert 200 == (await given.ask("the other", config=config))[0]


async def test_settings_demand_what_a_store_holds() -> None:
    given = with_saved(settings={"input_guardrails": ["pg-shared"]})

    assert 446 == (await given.ask("shared"))[0]
    assert 200 == (await given.ask("fine"))[0]


async def test_saved_ones_fail_closed_also_in_a_callers_config() -> None:
    given = Given()
    body = {
        "checks": [{"id": "regexMatch", "parameters": {"rule": "a"}}],
        "actions": {"deny": True},
    }
    given.documents.put("1", SavedGuardrail("pg-x", orjson.dumps(body).decode()))

    assert 446 == (await given.ask("", config={"input_guardrails": ["pg-x"]}))[0]


async def test_a_change_of_a_saved_one_takes_effect_at_the_next_request() -> None:
    given = with_saved()
    config = {"input_guardrails": ["pg-mine"]}
    first = (await given.ask("three", config=config))[0]
    given.documents.put("1", saved("pg-mine", "three", 3))
    second = (await given.ask("three", config=config))[0]

    assert (200, 446) == (first, second)


async def test_a_change_of_what_a_workspace_demands_takes_effect() -> None:
    given = Given()
    first = (await given.ask("word"))[0]
    given.documents.demand("1", WorkspaceGuardrails(input=demanding(no("word", deny=True))))
    second = (await given.ask("word"))[0]

    assert (200, 446) == (first, second)


async def test_plans_are_kept_for_the_same_demands() -> None:
    given = by_everyone("input")
    compiler = given.gateway._app.compiler
    head = {"x_portkey_default_input_guardrails": demanding(no("header"))}
    for _ in range(3):
        await given.ask(config={"input_guardrails": [no("config")]}, **head)

    assert (2, 1) == (
        compiler._resolved.cache_info().hits,
        compiler._resolved.cache_info().currsize,
    )


async def test_a_workspace_is_not_asked_for_saved_ones_that_nobody_names() -> None:
    asked = []

    class Counting(MemoryDocuments):
        async def guardrail(self, *what: Any) -> Any:
            asked.append(what)
            return await super().guardrail(*what)

    given = Given(documents=Counting(), settings={"guardrails": {"pg-a": no("a")}})
    await given.ask(config={"input_guardrails": [no("b"), "pg-a"]})

    assert [] == asked


async def test_two_workspaces_have_their_own() -> None:
    mine = with_saved()
    others = with_saved(workspace="2")
    others.documents.put("2", saved("pg-mine", "theirs"))
    config = {"input_guardrails": ["pg-mine"]}

    assert [446, 200] == [(await mine.ask(word, config=config))[0] for word in ("two", "theirs")]
    assert [200, 446] == [(await others.ask(word, config=config))[0] for word in ("two", "theirs")]


async def test_what_is_faulty_in_a_workspace_is_told_and_lets_nothing_through() -> None:
    given = Given()
    given.documents.demand("1", WorkspaceGuardrails(input="[{]"))
    status, body = await given.ask()

    assert 400 == status
    assert "workspace.input_guardrails" in str(body)
    assert [] == given.transport.requests


async def test_where_nobody_can_tell_what_is_demanded_nothing_goes_through() -> None:
    class Away(MemoryDocuments):
        async def workspace_guardrails(self, workspace: str | None) -> WorkspaceGuardrails:
            raise StoreUnavailable("The database is away.")

    given = Given(documents=Away())
    status, _ = await given.ask()

    assert 503 == status
    assert [] == given.transport.requests
