"""To come."""

from llmgateway.guardrails.declare import Check

CHECKS: tuple[Check, ...] = ()
