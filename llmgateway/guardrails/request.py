"""Checks over the request alone: its model, kind, metadata and token.

Source: reference/portkey, guardrails, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from llmgateway.guardrails.base import CheckFailed, Subject, Verdict
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.text import Not, Operator, judged
from llmgateway.types import JSON

_REQUEST_TYPES: Mapping[str, str] = {
    "chat": "chatComplete",
    "completions": "complete",
    "embeddings": "embed",
    "messages": "messages",
    "responses": "createModelResponse",
    "moderations": "moderate",
    "images": "imageGenerate",
    "image_edits": "imageEdit",
    "image_variations": "imageVariation",
    "speech": "createSpeech",
    "transcription": "createTranscription",
    "translation": "createTranslation",
    "count_tokens": "messagesCountTokens",
    "generate_content": "generateContent",
    "generate_content_count_tokens": "countTokens",
    "embed_content": "embedContent",
    "fine_tuning": "createFinetune",
}
"""Our endpoints as the contract names them; others have one name."""


def request_type(subject: Subject) -> str:
    """Return the contract's name of what is asked for: `chatComplete`, `embed`, …"""
    return _REQUEST_TYPES.get(subject.request_type, subject.request_type)


def _model(subject: Subject) -> str:
    if not subject.model:
        raise CheckFailed("The request names no model")
    return subject.model


@check(
    "default.modelWhitelist", stages=("input",), blocking=False, needs_text=False, window_limit=0
)
def model_whitelist(
    subject: Subject,
    models: Annotated[list[str], "Names of models, as requests give them."],
    not_: Not = False,
) -> Verdict:
    """Pass when the request's model is in the list."""
    model = _model(subject)
    listed = model in models
    data = {
        "explanation": f"The model is {'' if listed else 'not '}in the list",
        "requestedModel": model,
        "allowedModels": models,
        "not": not_,
    }
    return Verdict(judged(listed, not_), data)


class Rules(BaseModel):
    """Which models which metadata allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: list[str] = []
    """Where no value of the metadata is listed."""
    metadata: dict[str, dict[str, list[str]]] = {}
    """Key → value → models."""


@check("default.modelRules", stages=("input",), blocking=False, needs_text=False, window_limit=0)
def model_rules(
    subject: Subject,
    rules: Annotated[
        Rules, "`metadata`: key → value → models; `defaults`: models where no value is listed."
    ],
    not_: Not = False,
) -> Verdict:
    """Pass when the request's model is among those that its metadata select."""
    model = _model(subject)
    allowed: list[str] = []
    matched: list[str] = []
    for key, by_value in rules.metadata.items():
        for value in _values(subject.metadata.get(key)):
            if value in by_value:
                allowed += by_value[value]
                matched.append(f"{key}={value}")
    allowed = allowed if matched else rules.defaults
    if not allowed:
        raise CheckFailed("No rule selects any model")
    listed = model in allowed
    data = {
        "explanation": f"The model is {'' if listed else 'not '}among those that the rules select",
        "requestedModel": model,
        "allowedModels": list(dict.fromkeys(allowed)),
        "matchedRules": matched,
        "usedDefaults": not matched,
        "not": not_,
    }
    return Verdict(judged(listed, not_), data)


def _values(value: Any) -> list[str]:
    if value is None:
        return []
    found = value if isinstance(value, list | tuple) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in found]


@check(
    "default.requiredMetadataKeys",
    stages=("input",),
    blocking=False,
    needs_text=False,
    window_limit=0,
)
def required_metadata_keys(
    subject: Subject,
    metadata_keys: Annotated[list[str], "Keys of the request's metadata."],
    operator: Annotated[Operator, "How many of the keys must be there."] = "all",
) -> Verdict:
    """Pass when the request's metadata has all, any or none of the keys."""
    found = [key for key in metadata_keys if key in subject.metadata]
    missing = [key for key in metadata_keys if key not in subject.metadata]
    passed = {"any": bool(found), "all": not missing, "none": not found}[operator]
    data = {
        "explanation": f"{'Passed' if passed else 'Failed'}: wanted {operator} of the keys,"
        f" found {len(found)} of {len(metadata_keys)}",
        "operator": operator,
        "found_metadata_keys": found,
        "missing_metadata_keys": missing,
    }
    return Verdict(passed, data)


@check(
    "default.allowedRequestTypes",
    stages=("input",),
    blocking=False,
    needs_text=False,
    window_limit=0,
)
def allowed_request_types(
    subject: Subject,
    allowed_types: Annotated[
        list[str] | None, "chatComplete, embed, stream-chatComplete, …"
    ] = None,
    blocked_types: Annotated[list[str] | None, "What is in both lists is blocked."] = None,
) -> Verdict:
    """Pass when this kind of request is allowed and not blocked.

    A list that is left out comes from the metadata `supported_endpoints` or `blocked_endpoints`.
    A stream is of its kind, and of `stream-` and its kind.
    """
    kind = request_type(subject)
    names = {kind, subject.request_type}
    if subject.is_stream:
        names |= {f"stream-{name}" for name in names}
    allowed = allowed_types or _listed(subject.metadata.get("supported_endpoints"))
    blocked = blocked_types or _listed(subject.metadata.get("blocked_endpoints"))
    is_blocked = _meet(names, blocked)
    passed = not is_blocked and (not allowed or _meet(names, allowed))
    data: JSON = {
        "explanation": f"Requests of type {kind} are {'' if passed else 'not '}allowed",
        "currentRequestType": kind,
        "source": _source(allowed_types or blocked_types, allowed or blocked),
        "mode": _MODES[bool(allowed), bool(blocked)],
    }
    if allowed:
        data["allowedTypes"] = allowed
    if blocked:
        data["blockedTypes"] = blocked
    return Verdict(passed, data)


_MODES = {
    (False, False): "unrestricted",
    (True, False): "allowed_list",
    (False, True): "blocked_list",
    (True, True): "combined",
}


def _source(parameters: list[str] | None, any_list: list[str]) -> str:
    if parameters:
        return "parameters"
    return "metadata" if any_list else "none"


def _meet(names: Iterable[str], listed: list[str]) -> bool:
    lowered = {one.lower() for one in listed}
    return any(name.lower() in lowered for name in names)


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        return []
    return [str(one).strip() for one in value if str(one).strip()]


CHECKS = (
    model_whitelist,
    model_rules,
    required_metadata_keys,
    allowed_request_types,
)
