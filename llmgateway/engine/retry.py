"""Whether and when one target is tried again. Pure; the waiting is done by the pipeline."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from llmgateway.config import Retry
from llmgateway.engine.outcome import Outcome
from llmgateway.engine.world import Random
from llmgateway.types.http import Headers
from llmgateway.types.value import value

BUDGET_S = 60.0
"""What the waits that providers ask for may add up to over one call.

Source: Portkey's docs, automatic retries: a single wait, or the sum, of 60 s ends the retrying.
"""


@value(frozen=True, slots=True)
class Waits:
    """The waiting of one target so far."""

    retries: int = 0
    honoured_s: float = 0.0
    """The sum of the waits that providers asked for."""
    honoured: bool = False
    """Once a provider's wait was honoured, the back-off is zero (the contract's rule)."""


def is_retriable(outcome: Outcome, retry: Retry) -> bool:
    """Tell whether an outcome is one that the policy tries again."""
    if not outcome.repeatable:
        return False
    if outcome.never_sent:
        return True
    if outcome.is_denied and retry.retries_denials:
        return True
    return outcome.status in retry.on_status_codes


def next_wait(
    outcome: Outcome, retry: Retry, waits: Waits, draw: Random
) -> tuple[float, Waits] | None:
    """Return the seconds to wait before the next try, or None where there shall be none.

    Back-off is 1, 2, 4, 8, … s, and none after an answer that a guardrail denied. A 429's own wait
    replaces it where the policy says so; one that is over the budget ends the retrying.
    """
    if waits.retries >= retry.attempts:
        return None
    if outcome.is_denied:  # the provider is well: another answer is all that is wanted
        return 0.0, Waits(waits.retries + 1, waits.honoured_s, waits.honoured)
    asked = outcome.retry_after_s
    if retry.use_retry_after and outcome.status == 429 and asked is not None:
        total = waits.honoured_s + asked
        if asked >= BUDGET_S or total > BUDGET_S:
            return None
        return asked, Waits(waits.retries + 1, total, honoured=True)
    delay = 0.0 if waits.honoured else float(2**waits.retries)
    if retry.jitter:
        delay *= draw.random()
    return delay, Waits(waits.retries + 1, waits.honoured_s, waits.honoured)


def retry_after(headers: Headers, now: float) -> float | None:
    """Return the seconds that a provider asks us to wait; None where it does not, or unreadably.

    Looks at `retry-after-ms`, `x-ms-retry-after-ms` and `retry-after`, in this order; the last
    is seconds or an HTTP date, which `now` (seconds since the epoch) is taken from. Never negative.
    Source: RFC 9110, section 10.2.3.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        value = _number(headers.get(name))
        if value is not None:
            return value / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    if text is None or len(text) > 12:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
