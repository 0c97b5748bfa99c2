"""A moderation model's word on the texts: any endpoint of OpenAI's moderation format.

Source: https://platform.openai.com/docs/api-reference/moderations
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from annotated_types import Ge, Le

from llmgateway.guardrails.base import CheckFailed, Services, Subject, Verdict
from llmgateway.guardrails.declare import check
from llmgateway.types import JSON

DEFAULT_MODEL = "omni-moderation-latest"


@check("default.moderation")
async def moderation(
    subject: Subject,
    model: str = DEFAULT_MODEL,
    categories: Sequence[str] = (),
    threshold: Annotated[float, Ge(0), Le(1)] | None = None,
    not_: bool = False,
    *,
    services: Services,
) -> Verdict:
    """Pass when a moderation model flags none of the texts.

    One call judges all texts in scope. A category that is asked for and that the model does not
    tell is an error, so a misspelled one never passes. What has no text passes, without a call.

    Args:
        model: The model to ask, with its provider where there are several:
            `@openai/omni-moderation-latest`.
        categories: Those that count, as the model spells them (`hate`, `self-harm/intent`); none
            given, all that the model flags.
        threshold: The score (0 to 1) from which a category counts, instead of the model's own
            word.
        not_: Pass when something is flagged.
    """
    if not subject.texts:
        explanation = "There is no text to moderate"
        return Verdict(True, {"explanation": explanation, "flaggedCategories": [], "not": not_})
    answer = await services.moderate(model, {"input": list(subject.texts)})
    results = _results(answer, len(subject.texts))
    found = [_flagged(result, categories, threshold) for result in results]
    is_flagged = any(flagged for flagged, _ in found)
    names = sorted({name for _, names in found for name in names})
    return Verdict(
        is_flagged if not_ else not is_flagged,
        {
            "explanation": _explain(is_flagged, names),
            "model": model,
            "flaggedCategories": names,
            "not": not_,
        },
    )


@check("portkey.moderateContent")
async def moderate_content(
    subject: Subject,
    categories: Sequence[str] = (),
    not_: bool = False,
    *,
    services: Services,
) -> Verdict:
    """Pass when the moderation model flags none of the categories: `default.moderation`.

    Portkey's own service answers this id; here it is the operator's moderation model. Its page:
    https://portkey.ai/docs/product/guardrails/list-of-guardrail-checks

    Args:
        categories: Those that count; none given, all that the model flags.
        not_: Pass when something is flagged.
    """
    verdict: Verdict = await moderation(
        subject, categories=categories, not_=not_, services=services
    )
    return verdict


def _results(answer: JSON, wanted: int) -> list[Mapping[str, Any]]:
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != wanted:
        raise CheckFailed("The moderation model did not answer for each text")
    if not all(isinstance(result, Mapping) for result in results):
        raise CheckFailed("The moderation model's answer has no results that can be read")
    return results


def _flagged(
    result: Mapping[str, Any], categories: Sequence[str], threshold: float | None
) -> tuple[bool, list[str]]:
    """Return whether one text is flagged, and the categories that count against it."""
    if threshold is not None:
        scores = _members(result, "category_scores", (int, float))
        names = [name for name in _asked(scores, categories) if scores[name] >= threshold]
        return bool(names), names
    flags = _members(result, "categories", (bool,))
    if categories:
        names = [name for name in _asked(flags, categories) if flags[name]]
        return bool(names), names
    flagged = result.get("flagged")
    if not isinstance(flagged, bool):
        raise CheckFailed("The moderation model does not tell whether it flags a text")
    return flagged, [name for name, flag in flags.items() if flag] if flagged else []


def _members(result: Mapping[str, Any], key: str, kinds: tuple[type, ...]) -> Mapping[str, Any]:
    found = result.get(key)
    if not isinstance(found, Mapping):
        raise CheckFailed(f"The moderation model tells no {key}")
    # Older models tell null for categories that they do not know.
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
    }


def _asked(told: Mapping[str, Any], categories: Sequence[str]) -> Iterable[str]:
    if not categories and not told:
        raise CheckFailed("The moderation model tells no scores")
    for name in categories:
        if name not in told:
            raise CheckFailed(f"The moderation model does not tell the category {name!r}")
    return categories or told


def _explain(is_flagged: bool, names: list[str]) -> str:
    if not is_flagged:
        return "The moderation model flagged nothing that counts"
    return f"The moderation model flagged the text: {', '.join(names) or 'no category named'}"


CHECKS = (moderation, moderate_content)
