"""Whether the settings mask whatever is asked, so that the log masks what no guardrail sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmgateway.config import Hook, parse_guardrail, parse_hooks
from llmgateway.engine.bind import Binder
from llmgateway.guardrails import Checks
from llmgateway.settings import Settings


def masks_every_request(settings: Settings, checks: Callable[[], Checks]) -> bool:
    """Tell whether an input guardrail of the settings puts placeholders wherever values stand.

    Such as are saved in a store are not looked up: they count once a request has come to them.
    """
    if not settings.input_guardrails:
        return False
    saved: dict[tuple[str, int | None], Sequence[Hook]] = {
        (slug, None): parse_guardrail(raw, slug) for slug, raw in settings.guardrails.items()
    }
    hooks = parse_hooks(settings.input_guardrails, "input", "input_guardrails")
    bound, _ = Binder(checks(), saved).bind(hooks, (), closed=True)
    return any(check.masks_all for hook in bound.inputs for check in hook.checks)
