"""One row of the request log as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmgateway.types.usage import NO_USAGE, Usage
from llmgateway.types.value import value


@value(frozen=True, slots=True)
class AttemptRecord:
    """One upstream try."""

    target: str
    """The target's JSON path: `config.targets[1]`."""
    provider: str
    status: int
    """The provider's status, or the one that the failure stands for (408, 502, 504, …)."""
    error: str | None
    """The error's code, if it failed."""
    duration_ms: float
    """Up to the response head, or to the failure."""
    resent: bool = False
    """Whether a pooled connection had died under the same request just before (no retry)."""


_OF_A_HOOK = ("id", "type", "verdict", "deny", "async", "transformed", "execution_time")
_OF_A_CHECK = ("id", "verdict", "transformed", "execution_time", "fail_on_error")
_MAX_NAME = 100


def bare_results(results: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return `hook_results` as the log keeps them: ids, verdicts, times and the names of errors.

    What checks say in `data`, `log` and messages may quote a prompt, and feedback is the caller's:
    none of it is kept. None where no hook ran. Doing it twice changes nothing.
    """
    if results is None:
        return None
    bare = {
        phase: [_bare_hook(hook) for hook in hooks if isinstance(hook, Mapping)]
        for phase, hooks in results.items()
        if isinstance(hooks, list | tuple)
    }
    return bare if any(bare.values()) else None


def _bare_hook(hook: Mapping[str, Any]) -> dict[str, Any]:
    checks = hook.get("checks") or ()
    return {
        **{name: hook[name] for name in _OF_A_HOOK if name in hook},
        "checks": [_bare_check(check) for check in checks if isinstance(check, Mapping)],
    }


def _bare_check(check: Mapping[str, Any]) -> dict[str, Any]:
    bare = {name: check[name] for name in _OF_A_CHECK if name in check}
    error = check.get("error")
    if error is not None:
        name = error.get("name") if isinstance(error, Mapping) else error
        is_name = isinstance(name, str) and name.isidentifier() and len(name) <= _MAX_NAME
        bare["error"] = name if is_name else "Error"
    return bare


@value(frozen=True, slots=True)
class Record:
    """What became of one request. Written once, whatever the end was."""

    id: str
    trace_id: str
    started_at: float
    """Seconds since the epoch."""
    duration_ms: float
    method: str
    path: str
    endpoint: str | None
    """None where no route matched."""
    status: int
    """The status that the client saw; 499 when it left first."""
    error: str | None
    """The error's code, also of a stream that broke after its 200."""
    principal: str | None
    workspace: str | None
    target: str | None
    provider: str | None
    model: str | None
    stream: bool
    first_byte_ms: float | None
    usage: Usage = NO_USAGE
    attempts: tuple[AttemptRecord, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    user: str | None = None
    """The host's user behind the principal."""
    request_body: str | None = field(default=None, repr=False)
    """What the client sent, redacted and bounded; None unless bodies are logged."""
    response_body: str | None = field(default=None, repr=False)
    """What it was answered, as far as that went out; the same holds."""
    hook_results: Mapping[str, Any] | None = field(default=None, repr=False)
    """Which guardrails ran, by phase, as `bare_results` leaves them; None where none did."""
