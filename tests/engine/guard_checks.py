"""Checks of the tests' own: they raise, hang, lie and change what they must not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from llmgateway.guardrails import CheckFailed, Services, Subject, Verdict, check
from tests.scripted import Clock

SECRET = "hunter2-the-tests-own-secret"
RELEASE = threading.Event()
"""Lets go of checks that block."""
RAN: list[str] = []


@contextmanager
def released() -> Iterator[None]:
    """Let go of what blocks at the end, so that no thread outlives its test."""
    RELEASE.clear()
    RAN.clear()
    try:
        yield
    finally:
        RELEASE.set()


@check("trial.raises", blocking=False)
def raises(subject: Subject) -> Verdict:
    """Raise with a secret."""
    raise ValueError(f"{SECRET} {subject.text}")


@check("trial.raises_in_thread")
def raises_in_thread(subject: Subject) -> Verdict:
    """Raise with a secret, in a thread."""
    raise ValueError(f"{SECRET} {subject.text}")


@check("trial.raises_later")
async def raises_later(subject: Subject) -> Verdict:
    """Raise with a secret, chained, after a turn of the loop."""
    await asyncio.sleep(0)
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        raise RuntimeError(SECRET) from error


@check("trial.stops")
def stops(subject: Subject) -> Verdict:
    """Raise what means something else to whoever awaits it."""
    raise StopIteration(SECRET)


@check("trial.exits")
def exits(subject: Subject) -> Verdict:
    """Try to end the process."""
    raise SystemExit(SECRET)


@check("trial.fails")
def fails(subject: Subject) -> Verdict:
    """Say that it cannot decide."""
    raise CheckFailed("The service is away.")


@check("trial.hangs")
async def hangs(subject: Subject) -> Verdict:
    """Never end."""
    await asyncio.Event().wait()
    return Verdict(True)


@check("trial.waits", window_limit=3)
async def waits(subject: Subject) -> Verdict:
    """Never end; may be used on windows."""
    await asyncio.Event().wait()
    return Verdict(True)


@check("trial.blocks")
def blocks(subject: Subject) -> Verdict:
    """Block until the test is over."""
    RELEASE.wait(30)
    return Verdict(True)


@check("trial.quick")
def quick(subject: Subject) -> Verdict:
    """Pass in a thread."""
    RAN.append(threading.current_thread().name)
    return Verdict(True, {"text": subject.text})


@check("trial.notes")
async def notes(subject: Subject) -> Verdict:
    """Pass, and note that it ran."""
    RAN.append(subject.text)
    return Verdict(True, {"text": subject.text})


@check("trial.masks_beside", changes=True)
async def masks_beside(subject: Subject) -> Verdict:
    """Change all texts, and fail."""
    return Verdict(False, texts=tuple("changed" for _ in subject.texts))


@check("trial.changes_unsaid", blocking=False)
def changes_unsaid(subject: Subject) -> Verdict:
    """Change texts without having declared it."""
    return Verdict(True, texts=tuple("changed" for _ in subject.texts))


_LIES: dict[str, Any] = {
    "none": None,
    "text": "yes",
    "verdict of none": Verdict(None),  # type: ignore[arg-type]
    "data no mapping": Verdict(True, data=["a"]),  # type: ignore[arg-type]
    "data no JSON": Verdict(True, data={"a": object()}),
    "data of surrogates": Verdict(True, data={"a": "\ud800"}),
    "data of odd keys": Verdict(True, data={1: "a"}),  # type: ignore[dict-item]
    "log no JSON": Verdict(True, log=object()),
    "fewer texts": Verdict(True, texts=()),
    "texts no texts": Verdict(True, texts=(1,)),  # type: ignore[arg-type]
    "texts of surrogates": Verdict(True, texts=("\ud800",)),
    "request no object": Verdict(True, request=[1]),  # type: ignore[arg-type]
    "request no JSON": Verdict(True, request={"a": object()}),
    "answer no object": Verdict(True, answer="Bat"),  # type: ignore[arg-type]
}
LIES = tuple(_LIES)


@check("trial.lies", blocking=False, changes=True)
def lies(subject: Subject, kind: str) -> Verdict:
    """Return nonsense."""
    found = _LIES[kind]
    if isinstance(found, Verdict) and kind.startswith("request") and subject.stage == "output":
        return replace(found, request=None, answer=found.request)
    return found  # type: ignore[no-any-return]


@check("trial.asks")
async def asks(subject: Subject, model: str, *, services: Services) -> Verdict:
    """Ask a model whether the text is fine: `yes` passes."""
    body = {"messages": [{"role": "user", "content": subject.text}]}
    answer = await services.ask(model, body)
    return Verdict(answer["choices"][0]["message"]["content"] == "yes", {"answer": answer})


@check("trial.moderates")
async def moderates(subject: Subject, model: str, *, services: Services) -> Verdict:
    """Ask a moderation model."""
    answer = await services.moderate(model, {"input": subject.text})
    return Verdict(not answer["results"][0]["flagged"])


@check("trial.fetches")
async def fetches(subject: Subject, url: str, timeout_s: float = 5.0, *, services: Services) -> Any:
    """Fetch a URL."""
    found = await services.fetch("GET", url, headers={"x-mine": "1"}, timeout_s=timeout_s)
    return Verdict(found.status == 200, {"body": found.body.decode()})


@check("trial.about", blocking=False, needs_text=False)
def about(subject: Subject, allowed: list[str]) -> Verdict:
    """Pass for some request types, whatever the text is."""
    return Verdict(subject.request_type in allowed, {"type": subject.request_type})


@check("trial.never", blocking=False)
def never(subject: Subject) -> Verdict:
    """Fail."""
    return Verdict(False)


@check("trial.sees", blocking=False)
def sees(subject: Subject) -> Verdict:
    """Tell all that it is given, and fail where the text has the word `bad`."""
    return Verdict("bad" not in subject.text, {"texts": list(subject.texts)})


CLOCKS: list[Clock] = []
"""The clock that checks move."""


@check("trial.takes", blocking=False)
def takes(subject: Subject, seconds: float) -> Verdict:
    """Take some time of the test's clock."""
    CLOCKS[0].now += seconds
    return Verdict(True)


@check("trial.takes_too", blocking=False)
def takes_too(subject: Subject, seconds: float) -> Verdict:
    """Likewise."""
    CLOCKS[0].now += seconds
    return Verdict(True)
