"""Each check has an example on its page, which passes and fails as the page says."""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from llmgateway.config import parse_hooks
from llmgateway.engine.bind import Binder, BoundCheck, StreamMode
from llmgateway.guardrails import Fetched, Stage, Verdict, builtin
from llmgateway.guardrails.pii import Vault
from llmgateway.types import JSON
from tests.docs.pages import DOCS
from tests.guardrails.stubs import StubServices, subject

EXAMPLES: dict[str, Any] = json.loads((DOCS / "check_examples.json").read_text(encoding="utf-8"))
KEY, ANOTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
_SIGNERS = {"(a token that the key signed)": KEY, "(a token that another key signed)": ANOTHER}


@dataclass
class ExampleServices(StubServices):
    """The world outside, as an example has it."""

    answered: Any = field(default=None)

    async def fetch(self, method: str, url: str, **options: Any) -> Fetched:
        return Fetched(200, {}, json.dumps(self.answered or jwks()).encode())

    async def resolves(self, host: str) -> bool:
        return host in self.answered

    async def ask(self, model: str, body: JSON) -> JSON:
        return dict(self.answered)

    async def moderate(self, model: str, body: JSON) -> JSON:
        return dict(self.answered)


def jwks() -> JSON:
    """Return the public half of the key as a set."""
    key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
    return {"keys": [{**key, "kid": "1", "alg": "ES256"}]}


def bound_check(id: str) -> tuple[BoundCheck, StreamMode]:
    """Return an example's check, bound as a config's guardrail is."""
    example = EXAMPLES[id]
    raw = [{id: example["parameters"], **example.get("actions", {"deny": True})}]
    hooks = parse_hooks(json.dumps(raw), example["stage"], "example")
    inputs, outputs = (hooks, ()) if example["stage"] == "input" else ((), hooks)
    guards, faults = Binder(builtin()).bind(inputs, outputs, closed=True)

    assert [] == faults
    (hook,) = guards.inputs or guards.outputs
    return hook.checks[0], hook.mode


async def verdict(id: str, case: str | Mapping[str, Any]) -> Verdict:
    """Run an example's check over one of its cases."""
    check, _ = bound_check(id)
    stage: Stage = EXAMPLES[id]["stage"]
    facts: dict[str, Any] = {"text": case} if isinstance(case, str) else dict(case)
    facts.pop("becomes", None)
    services = ExampleServices(answered=facts.pop("answered", None))
    if "headers" in facts:
        facts["headers"] = {name: signed(value) for name, value in facts["headers"].items()}
    tool, arguments = facts.pop("tool", None), facts.pop("arguments", "")
    looked = subject(facts.pop("text", arguments), stage=stage, **facts)
    if tool is not None:
        looked = replace(looked, places=("tool_arguments",), tools=(tool,), is_json=(True,))
    found = check.bound.run(looked, services, Vault())
    return found if isinstance(found, Verdict) else await found


def signed(value: str) -> str:
    """Return a header with the token that its words stand for."""
    for words, key in _SIGNERS.items():
        if words in value:
            claims = {"sub": "ann", "iat": int(time.time())}
            token = jwt.encode(claims, key, "ES256", headers={"kid": "1"})
            return value.replace(words, token)
    return value


def test_every_check_has_an_example() -> None:
    assert sorted(builtin()) == sorted(EXAMPLES)


@pytest.mark.parametrize("id", EXAMPLES)
async def test_an_example_passes_and_fails_as_it_says(id: str) -> None:
    if "extra `language`" in EXAMPLES[id].get("needs", "") and not has("lingua"):
        pytest.skip("the extra `language` is absent")
    example = EXAMPLES[id]
    found = await verdict(id, example["passes"])
    fails = example.get("fails")

    assert found.passed, found.data
    assert becomes(found) == becoming(example["passes"])
    if fails is not None:
        assert not (await verdict(id, fails)).passed


def has(module: str) -> bool:
    """Tell whether a module is installed."""
    return importlib.util.find_spec(module) is not None


def becomes(found: Verdict) -> str | None:
    """Return what a verdict changes, as examples write it."""
    if found.insert is not None:
        words = found.insert.text.replace("\n", "⏎")
        return f"{found.insert.role}: {words}"
    return None if found.texts is None else "\n".join(found.texts)


def becoming(case: str | Mapping[str, Any]) -> str | None:
    """Return what an example says that a text becomes."""
    return None if isinstance(case, str) else case.get("becomes")


@pytest.mark.parametrize("id", [id for id, check in builtin().items() if check.needs_text])
def test_what_a_page_says_of_windows_is_so(id: str) -> None:
    check, example = builtin()[id], EXAMPLES[id]
    if not callable(check.window_limit):
        assert ("window" in example) == (check.window_limit is not None)
        return
    bound, mode = bound_check(id)
    has_window = bound.bound.window_limit is not None

    assert has_window <= ("window" in example)
    if example["stage"] == "output":
        assert mode is (StreamMode.WINDOW if has_window else StreamMode.HOLD)


def test_an_example_that_always_passes_is_of_a_check_that_may() -> None:
    always = {id for id, example in EXAMPLES.items() if "fails" not in example}

    assert {"default.addPrefix", "default.log", "default.pii", "default.regexReplace"} == always
