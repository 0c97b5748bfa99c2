"""The shape of a config: which keys there are, and what each of them may hold.

Only what one key says by itself is checked here; what keys must be to one another is in `rules`.
Keys may be spelled in snake_case or camelCase. What the user writes for others to read
(`override_params`, queries) keeps its own spelling.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from llmgateway.config.conditions import Location, QueryCompiler
from llmgateway.config.hosts import check_custom_host
from llmgateway.config.javascript import text_of
from llmgateway.config.models import Query
from llmgateway.config.patterns import Patterns
from llmgateway.errors import InvalidRequest

MAX_RETRY_ATTEMPTS = 10
"""Portkey documents 5 and enforces nothing; the tenth back-off is 8 min, a call at most 30."""

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_HEADER_VALUE = re.compile(r"(?:[!-~\xa0-\xff](?:[ -~\xa0-\xff]*[!-~\xa0-\xff])?)?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_FORWARD_HEADERS = {"x-portkey-forward-headers", "x-llmgateway-forward-headers"}


def camel_case(name: str) -> str:
    """Return `onStatusCodes` for `on_status_codes`."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def snake_case(name: str) -> str:
    """Return `on_status_codes` for `onStatusCodes`, `kms_key_id` for `KMSKeyId`."""
    return _WORD_START.sub("_", name).lower()


def _spellings(name: str) -> AliasChoices:
    return AliasChoices(name, camel_case(name))


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("config", "{text}", {"text": text})


def _refuse(value: Any, info: ValidationInfo) -> Any:
    raise _fault(f"`{info.field_name}` is not available yet; remove it")


def _check_header_value(value: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise _fault(
            "Must hold Latin-1 text without control characters, and no space at either end"
        )
    return value


def _check_secret(value: SecretStr) -> SecretStr:
    _check_header_value(value.get_secret_value())
    return value


def _option_text(value: Any) -> Any:
    if isinstance(value, dict | list):
        # Escaped to ASCII, so that it fits into any header.
        return json.dumps(value, separators=(",", ":"))
    # A null is a fault of the rules, which need no second one from here.
    return "" if value is None else text_of(value)


def _check_host(value: str) -> str:
    try:
        return check_custom_host(value)
    except InvalidRequest as exc:
        raise _fault(exc.message) from None


def _header_name(value: str) -> str:
    name = value.strip().lower()
    if name in _FORWARD_HEADERS:
        raise _fault(f"forward_headers must not contain the '{name}' header")
    if not _HEADER_NAME.fullmatch(name):
        raise _fault("Must be the name of a header")
    return name


def _mode_alone(value: Any) -> Any:
    return {"mode": value} if isinstance(value, str) else value


def _compile_query(raw: Any, info: ValidationInfo) -> Query:
    compiler = QueryCompiler(info.context or Patterns())
    query = compiler.compile(raw)
    if compiler.faults:
        raise ValidationError.from_exception_data(
            "query",
            [
                InitErrorDetails(type=_fault(text), loc=location, input=None)
                for location, text in compiler.faults
            ],
        )
    return query


_NotYet = AfterValidator(_refuse)
_Text = Annotated[str, AfterValidator(_check_header_value)]
_Option = Annotated[str, BeforeValidator(_option_text), AfterValidator(_check_header_value)]
_CheckID = Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
_StatusCodes = list[Annotated[int, Field(ge=100, le=599)]]


class _Shape(BaseModel):
    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,
        alias_generator=AliasGenerator(validation_alias=_spellings),
    )


class Retry(_Shape):
    """The key `retry`."""

    attempts: Annotated[int, Field(ge=0, le=MAX_RETRY_ATTEMPTS)] | None = None
    on_status_codes: _StatusCodes | None = None
    use_retry_after_header: bool | None = None
    """The spelling of Portkey's open-source gateway."""
    use_retry_after_headers: bool | None = None
    """The spelling of its hosted one."""
    jitter: bool | None = None


class Condition(_Shape):
    """One of `strategy.conditions`."""

    query: Annotated[Query, PlainValidator(_compile_query)]
    then: str


class Cache(_Shape):
    """The key `cache`, which may be the mode alone."""

    mode: Literal["simple", "semantic"]
    max_age: float | None = None


class Strategy(_Shape):
    """The key `strategy`."""

    mode: Literal["single", "loadbalance", "fallback", "conditional"]
    on_status_codes: _StatusCodes | None = None
    conditions: list[Condition] | None = None
    default: str | None = None
    sticky: Annotated[dict[str, Any], _NotYet] | None = None
    cb_config: Annotated[dict[str, Any], _NotYet] | None = None


class Feedback(_Shape):
    """What `on_success` or `on_fail` says of a request."""

    value: float | None = None
    weight: float | None = None
    metadata: dict[str, Any] = {}


class Result(_Shape):
    """One of `on_success` and `on_fail`."""

    feedback: Feedback | None = None


class Actions(_Shape):
    """What a guardrail or mutator says beside its checks.

    A null is as good as nothing here, since hooks inherit nothing from one another.
    """

    id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    name: str | None = None
    guardrail_version_id: str | None = None
    deny: bool = False
    is_async: Annotated[bool, Field(validation_alias="async")] = False
    sequential: bool = False
    on_success: Result | None = None
    on_fail: Result | None = None
    scope: Literal["last", "all", "system", "tool_results", "tool_arguments"] | None = None
    stream_mode: Literal["hold", "window", "monitor"] | None = None
    timeout_ms: Annotated[int, Field(gt=0, le=10**9)] | None = None
    fail_on_error: bool | None = None


class Check(_Shape):
    """One of the `checks` of a hook that is written out."""

    id: _CheckID
    name: str | None = None
    parameters: dict[str, Any] = {}
    is_enabled: bool = True


class Hook(Actions):
    """One of `before_request_hooks` and `after_request_hooks`."""

    type: Literal["guardrail", "mutator"] = "guardrail"
    checks: Annotated[list[Check], Field(min_length=1)]


class SavedGuardrail(Hook):
    """A guardrail as it is saved: the keys beside its checks may stand in `actions`."""

    actions: Actions | None = None


_ACTIONS = {"async", *Actions.model_fields} - {"is_async"}
CONTROL_KEYS = frozenset({*_ACTIONS, *map(camel_case, _ACTIONS)})
"""The keys of a guardrail in short that are no checks, in both spellings."""


class Target(_Shape):
    """The root or one of `targets`; keys that are not named here are a provider's options."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, _Option] = Field(init=False)

    strategy: Strategy | None = None
    targets: list[Target] | None = None
    name: str | None = None
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None

    provider: _Text | None = None
    virtual_key: _Text | None = None
    api_key: Annotated[SecretStr, AfterValidator(_check_secret)] | None = None

    retry: Retry | None = None
    request_timeout: Annotated[int, Field(gt=0)] | None = None
    custom_host: Annotated[str, AfterValidator(_check_host)] | None = None
    forward_headers: list[Annotated[str, AfterValidator(_header_name)]] | None = None
    override_params: dict[str, Any] | None = None
    strict_open_ai_compliance: bool | None = None
    unsupported_params: Literal["drop", "refuse", "pass"] | None = None

    # What stands in these lists is read by `groups`.
    input_guardrails: list[Any] | None = None
    output_guardrails: list[Any] | None = None
    default_input_guardrails: list[Any] | None = None
    default_output_guardrails: list[Any] | None = None
    before_request_hooks: list[Any] | None = None
    after_request_hooks: list[Any] | None = None
    input_mutators: list[Any] | None = None
    output_mutators: list[Any] | None = None

    on_status_codes: _StatusCodes | None = None
    """Accepted without effect, as the contract has it."""

    cache: Annotated[Cache, BeforeValidator(_mode_alone), _NotYet] | None = None
    cb_config: Annotated[dict[str, Any], _NotYet] | None = None
    prompt_id: Annotated[str, _NotYet] | None = None
    default_params: Annotated[dict[str, Any], _NotYet] | None = None
    drop_params: Annotated[list[str], _NotYet] | None = None
    passthrough: Annotated[bool, _NotYet] | None = None
    deployments: Annotated[Any, _NotYet] | None = None
    fetch_integrated_models: Annotated[bool, _NotYet] | None = None

    def __repr__(self) -> str:
        # Any value may be a secret, and reprs end up in tracebacks: names only.
        return f"Target({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__


_OBJECT = "Input should be an object"
# In place of pydantic's own words, which speak of Python and of our classes.
_WORDS = {
    "model_type": _OBJECT,
    "dict_type": _OBJECT,
    "extra_forbidden": "Unknown key, or one that is given twice",
    "too_short": "Must not be empty",
    "string_too_short": "Must not be empty",
    "string_pattern_mismatch": "Must be the id of a check, such as default.contains",
}


def shape_faults(exc: ValidationError, location: Location = ()) -> list[tuple[Location, str]]:
    """Return what a shape says against a value that stands at `location`."""
    errors = exc.errors(include_url=False, include_context=False, include_input=False)
    return [
        ((*location, *error["loc"]), _WORDS.get(error["type"], error["msg"])) for error in errors
    ]
