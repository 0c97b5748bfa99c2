"""How many tokens the texts have, by an estimate or by a counter of the app's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import AfterValidator

from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject, Verdict
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.parameters import did_you_mean

Counter = Callable[[str], int]
ESTIMATE = "estimate"


def estimated_tokens(text: str) -> int:
    """Return UTF-8 bytes ÷ 3.5, rounded up; 0 for no text.

    English is near 4 bytes a token, code near 3, Chinese 3 bytes a character of about one token,
    so this errs on the high side for English prose and is near for the rest. A lone surrogate
    counts as three bytes.
    """
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size * 2 // 7)


_counters: dict[str, Counter] = {ESTIMATE: estimated_tokens}


def register_token_counter(name: str, counter: Counter) -> None:
    """Let configs name a counter of the app's: `{"default.tokenLimit": {"counter": name}}`.

    `counter` takes a text and returns its tokens; it runs in a thread, so it must be safe there.
    Configs only name what the app's code has registered: no code comes from data. Call it before
    configs are read, and again to replace one. Raises `ValueError` for the name `estimate`.
    """
    if name == ESTIMATE:
        raise ValueError("The counter `estimate` cannot be replaced")
    _counters[name] = counter


def _known(name: str) -> str:
    if name not in _counters:
        raise ParameterFault(
            f"No token counter {name[:100]!r} is registered{did_you_mean(name, _counters)}"
        )
    return name


@check("default.tokenLimit", blocking=True)
def token_limit(
    subject: Subject,
    min_tokens: Annotated[int, Ge(0)] = 0,
    max_tokens: Annotated[int, Ge(0)] | None = None,
    counter: Annotated[str, AfterValidator(_known)] = ESTIMATE,
    not_: bool = False,
) -> Verdict:
    """Pass when the texts in scope have between so and so many tokens, together.

    The estimate is UTF-8 bytes ÷ 3.5, rounded up for each text. What a provider adds around
    messages is not counted.

    Args:
        min_tokens: The fewest.
        max_tokens: The most; none given, there is no such limit.
        counter: `estimate`, or the name of a counter that the app has registered with
            `register_token_counter`.
        not_: Pass when the number is out of range.
    """
    count = sum(_count(counter, text) for text in subject.texts)
    is_inside = count >= min_tokens and (max_tokens is None or count <= max_tokens)
    limits = f"at least {min_tokens}" if max_tokens is None else f"{min_tokens} to {max_tokens}"
    return Verdict(
        is_inside != not_,
        {
            "explanation": f"The text has {count} tokens ({counter}); {limits} are wanted",
            "tokenCount": count,
            "minTokens": min_tokens,
            "maxTokens": max_tokens,
            "counter": counter,
            "not": not_,
        },
    )


def _count(name: str, text: str) -> int:
    counter = _counters.get(name)
    if counter is None:
        raise CheckFailed(f"The token counter {name!r} is not registered in this process")
    count: Any = counter(text)  # it is the app's, so what it returns is not vouched for
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise CheckFailed(f"The token counter {name!r} did not return a number")
    return count


CHECKS = (token_limit,)
