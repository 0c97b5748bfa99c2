"""What the tests of hooks share: the lists that state them, and the words of their faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmgateway.config import AnyHook, Hook, parse_hooks
from llmgateway.config.groups import MAX_CHECKS, MAX_HOOKS, Stage
from llmgateway.errors import InvalidConfig

PLAIN = {"provider": "acme", "api_key": "k"}
WORDS = {"words": ["x"], "operator": "none"}
BOOLEAN = "Input should be a valid boolean"
STRING = "Input should be a valid string"
NUMBER = "Input should be a valid number"
OBJECT = "Input should be an object"
LIST = "Input should be a valid list"
UNKNOWN = "Unknown key, or one that is given twice"
EMPTY = "Must not be empty"
CHECK_ID = "Must be the id of a check, such as default.contains"
SLUG = "Must be the slug of a saved guardrail: pg-…, or pg-…@3 for its third version"
NO_CHECK = "Must hold a check; the slug of a saved guardrail (pg-…) stands alone"
ELEMENT = "Must be an object, or the slug of a saved guardrail (pg-…)"
PARAMETERS = (
    "Must be an object, the parameters of a check. What is no check is one of async, deny, "
    "fail_on_error, guardrail_version_id, id, name, on_fail, on_success, scope, sequential, "
    "stream_mode, timeout_ms"
)
SCOPES = "Input should be 'last', 'all', 'system', 'tool_results' or 'tool_arguments'"
MODES = "Input should be 'hold', 'window' or 'monitor'"
TOO_MANY = f"Must not hold more than {MAX_HOOKS} guardrails and mutators with {MAX_CHECKS} checks"
SHORT = {
    "input_guardrails": "input_hooks",
    "output_guardrails": "output_hooks",
    "default_input_guardrails": "default_input_hooks",
    "default_output_guardrails": "default_output_hooks",
    "input_mutators": "input_hooks",
    "output_mutators": "output_hooks",
}
FULL = {"before_request_hooks": "input_hooks", "after_request_hooks": "output_hooks"}


def check_ids(found: tuple[AnyHook, ...]) -> list[str]:
    """Return the ids of all checks, in order."""
    return [check.id for hook in found if isinstance(hook, Hook) for check in hook.checks]


def faults_of(call: Callable[[], object]) -> tuple[tuple[str, str], ...]:
    """Return what a call refuses with."""
    with pytest.raises(InvalidConfig) as caught:
        call()
    return caught.value.faults


def alone(raw: Any, stage: Stage = "input") -> dict[str, str]:
    """Return the faults of a list that stands outside of a config."""
    with pytest.raises(InvalidConfig, match="^Invalid guardrails passed") as caught:
        parse_hooks(raw, stage, "input_guardrails")
    return dict(caught.value.faults)
