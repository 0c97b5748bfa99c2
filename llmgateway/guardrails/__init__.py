"""Guardrails: checks over what is asked and answered, declared by function.

A check sees texts and answers with a `Verdict`; what becomes of it is the engine's.
"""

from llmgateway.guardrails.base import (
    CheckFailed,
    Fetched,
    Insertion,
    ParameterFault,
    Scope,
    Services,
    Stage,
    Subject,
    Verdict,
)
from llmgateway.guardrails.declare import Bound, Check, check, declared
from llmgateway.guardrails.registry import Checks, builtin, known

__all__ = [
    "Bound",
    "Check",
    "CheckFailed",
    "Checks",
    "Fetched",
    "Insertion",
    "ParameterFault",
    "Scope",
    "Services",
    "Stage",
    "Subject",
    "Verdict",
    "builtin",
    "check",
    "declared",
    "known",
]
