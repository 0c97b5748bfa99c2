"""Guardrails and mutators as a config states them: groups of checks, not yet looked up.

Source: the Portkey config schema, section 8. Which checks there are, and what their parameters may
be, is known to `llmgateway.guardrails`; the engine binds the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from llmgateway.types import JSON


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check of a hook."""

    id: str
    """`default.contains`; an id without a dot gets `default.`."""
    parameters: JSON = field(default_factory=dict, repr=False)
    path: str = ""
    """The JSON path of its parameters: `input_guardrails[0].default.contains`."""
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Feedback:
    """What `on_success` or `on_fail` says of a request."""

    value: float | None = None
    weight: float | None = None
    metadata: JSON = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hook:
    """A group of checks and what becomes of a call that fails them."""

    id: str
    checks: tuple[CheckSpec, ...]
    kind: Literal["guardrail", "mutator"] = "guardrail"
    deny: bool = False
    is_async: bool = False
    """Runs beside the call and reports to the record."""
    sequential: bool = False
    on_success: Feedback | None = None
    on_fail: Feedback | None = None
    scope: str | None = None
    """`last`, `all`, `system`, `tool_results` or `tool_arguments`; None: each check's own."""
    stream_mode: str | None = None
    """`hold`, `window` or `monitor`; None: what the checks need."""
    timeout_ms: int | None = None
    fail_on_error: bool | None = None
    """For its checks that do not say, and for its bounds; None: the default of who states it."""
    path: str = ""
    """Its JSON path: `input_guardrails[0]`."""


@dataclass(frozen=True, slots=True)
class SavedHook:
    """A guardrail that is saved under a slug: `pg-…`."""

    slug: str
    version: int | None = None
    path: str = ""


AnyHook = Hook | SavedHook
Parameters = dict[str, Any]
