"""Every check of the contract over texts that break naive ones: it decides or says why not."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from llmgateway.guardrails import CheckFailed, Fetched, Verdict, builtin
from tests.guardrails.stubs import StubServices, bound, run, subject

URL = "https://hook.example/"
PARAMETERS: dict[str, dict[str, Any]] = {
    "default.regexMatch": {"rule": r"(?i)se.ret|\d{4}"},
    "default.contains": {"words": ["secret", "שלום", "\0"], "operator": "none"},
    "default.sentenceCount": {"minSentences": 1},
    "default.wordCount": {"maxWords": 5},
    "default.characterCount": {"maxCharacters": 100},
    "default.alluppercase": {},
    "default.alllowercase": {},
    "default.endsWith": {"suffix": "é"},
    "default.jsonSchema": {"schema": {"type": "object"}},
    "default.jsonKeys": {"keys": ["a"], "operator": "all"},
    "default.containsCode": {"format": "Python"},
    "default.notNull": {},
    "default.modelWhitelist": {"models": ["m"]},
    "default.modelRules": {"rules": {"defaults": ["m"]}},
    "default.requiredMetadataKeys": {"metadataKeys": ["é"]},
    "default.allowedRequestTypes": {"allowedTypes": ["chatComplete"]},
    "default.jwt": {"jwksUri": URL},
    "default.addPrefix": {"prefix": "‮é"},
    "default.regexReplace": {"rule": r"/[^\x00-\x7f]|secret/g", "redactText": "_"},
    "default.webhook": {"webhookURL": URL},
    "default.log": {"logURL": URL},
    "default.validUrls": {},
}
TEXTS: dict[str, tuple[str, ...]] = {
    "empty": (),
    "combining": ("e\u0301\u0327" * 50, "Z̷a̸l̶g̵o̴"),
    "right to left": ("שלום עולם", "\u202eterces\u202c"),
    "emoji": ("👩‍👩‍👧‍👦" * 20, "🇩🇪🏳️‍🌈"),
    "nul": ("a\0b\0secret",),
    "half a pair": ("\ud83d secret \ude00",),
    "beyond the plane": ("𐍈" * 100,),
    "white space": (" \t\r\n\u00a0\u2028\u2029\ufeff",),
    "case that changes length": ("ß" * 100, "İŉǰ", "Ǆ"),
    "mixed parts": ("secret", '{"a": 1}', "```python\nx\n```", "see https://a.example", "é"),
    "a megabyte": ("secret " * (2**20 // 7),),
    "a megabyte of one letter": ("é" * 2**19,),
    "a megabyte of braces": ("{" * 2**20,),
    "many parts": ("x",) * 10_000,
    "numbers": ("1/2/" * 2**15,),
}


def test_every_check_is_here() -> None:
    ours = {id for id in builtin() if id.startswith("default.")}
    assert set(PARAMETERS) <= ours


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("id", PARAMETERS)
async def test_it_decides_or_says_why_not(id: str, name: str) -> None:
    one = bound(id, PARAMETERS[id])
    services = StubServices({URL: Fetched(200, {}, b'{"verdict": true}')})
    began = time.thread_time()
    for stage in one.check.stages:
        seen = subject(*TEXTS[name], stage=stage, model="m", request={"model": "m"})
        try:
            verdict = await run(one, seen, services)
        except CheckFailed as exc:
            assert str(exc)
            continue
        _is_sound(verdict, len(seen.texts))
    assert time.thread_time() - began < 2


def _is_sound(verdict: Verdict, texts: int) -> None:
    assert isinstance(verdict.passed, bool)
    assert len(json.dumps(verdict.data)) < 2**17
    if verdict.texts is not None:
        assert len(verdict.texts) == texts
        assert all(isinstance(text, str) for text in verdict.texts)


async def test_the_same_in_other_words() -> None:
    """Verdicts that a naive check gets wrong."""

    async def passed(id: str, *texts: str, **parameters: Any) -> bool:
        return (await run(bound(id, parameters), subject(*texts))).passed

    assert not await passed("contains", "a\0secret", words=["secret"], operator="none")
    assert not await passed("contains", "x", "y secret", words=["secret"], operator="none")
    assert await passed("regexMatch", "\0" * 1000 + "1234", rule=r"\d{4}")
    assert not await passed("alluppercase", "ß")
    assert await passed("alllowercase", "שלום")
    assert await passed("alluppercase", "שלום")
    assert await passed("characterCount", "𐍈" * 100, maxCharacters=100)
    assert await passed("wordCount", "a\u2028b\u00a0c", minWords=3)


async def test_masks_are_exact() -> None:
    one = bound("regexReplace", {"rule": "/secret/g", "redactText": "_"})
    text = "é👩‍👧secret\0שלוםsecret\ud83d!"
    found = await run(one, subject(text, "plain", "secret"))
    assert found.texts is not None
    assert found.texts[0].startswith("é👩‍👧_\0שלום_")
    assert found.texts[1:] == ("plain", "_")
