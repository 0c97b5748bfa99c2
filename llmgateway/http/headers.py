"""The gateway's own header fields: read from requests, written into answers.

Every name exists twice, as `x-portkey-…` and as `x-llmgateway-…`; an answer uses the family that
the request used. Code, tests and docs read the two tables here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, cached_property, lru_cache

import orjson

from llmgateway.config import AnyHook, parse_hooks
from llmgateway.config.groups import Stage
from llmgateway.config.hosts import check_custom_host
from llmgateway.errors import InvalidConfig, InvalidRequest
from llmgateway.types import JSON
from llmgateway.types.call import Overrides
from llmgateway.types.http import Headers, RawHeaders

PORTKEY = "x-portkey-"
LLMGATEWAY = "x-llmgateway-"

REQUEST_HEADERS: Mapping[str, str] = {
    "provider": "The provider's id, if no config names one.",
    "config": "The routing config as JSON, or the slug of a saved one; see the page on configs.",
    "virtual-key": "The slug of a stored credential; `@slug` as provider says the same.",
    "api-key": "A client key of this gateway; `Authorization` may then hold the provider's key.",
    "trace-id": "Your own id of the request, 1-255 printable ASCII characters; else one is made.",
    "metadata": "A JSON object for conditions and the request log.",
    "custom-host": "The base URL to call in place of the provider's own.",
    "forward-headers": "Names of request headers that go on to the provider, comma-separated.",
    "request-timeout": "Milliseconds that one try may take until the provider's head arrives.",
    "retry-count": "Retries (0-10) where no config sets `retry`.",
    "unsupported-params": "`drop`, `refuse` or `pass` parameters that a target cannot take.",
    "strict-open-ai-compliance": "`true` or `false`; either this or the config switches it off.",
    "default-input-guardrails": "A JSON list of guardrails for every target, as in a config.",
    "default-output-guardrails": "Likewise for answers.",
    "hook-events": "`true`: a stream may tell `hook_results` in events of their own.",
}
"""What a request may say, by the name after the family's prefix."""

LATER_HEADERS: Mapping[str, str] = {
    "cache": "The cache",
}
"""What a later version acts on; until then a request that asks for it is refused."""

RESPONSE_HEADERS: Mapping[str, str] = {
    "trace-id": "The request's trace id, on every answer.",
    "last-used-option-index": "The JSON path of the config's target that answered.",
    "retry-attempt-count": "Retries on that target; -1 where they ran out.",
    "cache-status": "`DISABLED` (the cache comes in a later version).",
    "provider": "The provider that answered.",
    "dropped-params": "Parameters left out because the provider refuses them.",
    "adjusted-params": "Parameters renamed or changed to the provider's dialect.",
    "token-count": "`estimate` where a count of tokens is one: the provider cannot count.",
    "guardrail-stream-mode": "`hold`, `window` or `monitor`: how output guardrails watch a stream.",
    "gateway-exception": "`true` on an error that the gateway itself made before any target.",
}
"""What an answer may say, by the name after the family's prefix."""

MAX_RETRY_COUNT = 10
_TRACE_ID = re.compile(r"[\x21-\x7e]{1,255}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNWRITABLE = re.compile(r"[^\x20-\x7e]")
_MAX_VALUE = 2048
_INTEGER = re.compile(r"\d{1,9}")


class GatewayHeaders:
    """The gateway's own fields of a head; an empty value counts as absent.

    What has been parsed once is kept; a fault is not.
    """

    def __init__(self, family: str, fields: Mapping[str, str]) -> None:
        self.family = family
        """The prefix to answer with."""
        self.fields = fields
        """By the name after the prefix."""

    @classmethod
    def read(cls, headers: Headers) -> GatewayHeaders:
        """Take the gateway's fields out of a request's head; our own family beats Portkey's."""
        portkey: dict[str, str] = {}
        own: dict[str, str] = {}
        for name, value in headers:
            if name.startswith(b"x-portkey-") and value:
                portkey.setdefault(name[10:].decode("latin-1"), value.decode("latin-1"))
            elif name.startswith(b"x-llmgateway-") and value:
                own.setdefault(name[13:].decode("latin-1"), value.decode("latin-1"))
        return cls(PORTKEY if portkey and not own else LLMGATEWAY, {**portkey, **own})

    def get(self, name: str) -> str | None:
        """Return a field by the name after the prefix."""
        return self.fields.get(name)

    def refuse_later(self) -> None:
        """Refuse what is not available yet, rather than ignore it."""
        for name in self.fields.keys() & LATER_HEADERS.keys() if self.fields else ():
            raise InvalidRequest(
                f"{LATER_HEADERS[name]} comes in a later version; leave the header out until then.",
                param=self.family + name,
            )

    @cached_property
    def trace_id(self) -> str | None:
        """Return the caller's trace id; raises `InvalidRequest` if it cannot be echoed."""
        value = self.get("trace-id")
        if value is not None and not _TRACE_ID.fullmatch(value):
            raise self._fault("trace-id", "1 to 255 printable ASCII characters without spaces")
        return value

    @cached_property
    def metadata(self) -> JSON:
        """Return the request's metadata."""
        text = self.get("metadata")
        if text is None:
            return {}
        try:
            value = orjson.loads(text.encode("latin-1"))
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise self._fault("metadata", "a JSON object")
        return value

    @cached_property
    def overrides(self) -> Overrides:
        """Return the policies that the head states."""
        return Overrides(
            custom_host=self._custom_host(),
            request_timeout_ms=self._integer("request-timeout", 1, 10**9),
            forward_headers=self._forward_headers(),
            strict=self._flag("strict-open-ai-compliance"),
            unsupported=self._one_of("unsupported-params", ("drop", "refuse", "pass")),
            retry_attempts=self._integer("retry-count", 0, MAX_RETRY_COUNT),
            input_hooks=self._hooks("default-input-guardrails", "input"),
            output_hooks=self._hooks("default-output-guardrails", "output"),
            hook_events=self._flag("hook-events") or False,
        )

    def _custom_host(self) -> str | None:
        value = self.get("custom-host")
        return None if value is None else check_custom_host(value)

    def _forward_headers(self) -> tuple[str, ...] | None:
        value = self.get("forward-headers")
        if value is None:
            return None
        names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
        for name in names:
            if name in (PORTKEY + "forward-headers", LLMGATEWAY + "forward-headers"):
                raise InvalidRequest(
                    f"forward_headers must not contain the '{name}' header",
                    param=self.family + "forward-headers",
                )
            if not _HEADER_NAME.fullmatch(name):
                raise self._fault("forward-headers", "header names, separated by commas")
        return names

    def _hooks(self, name: str, stage: Stage) -> tuple[AnyHook, ...]:
        value = self.get(name)
        return () if value is None else _parsed_hooks(value, stage, self.family + name)

    def _integer(self, name: str, low: int, high: int) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        if not _INTEGER.fullmatch(value) or not low <= int(value) <= high:
            raise self._fault(name, f"an integer from {low} to {high}")
        return int(value)

    def _one_of(self, name: str, words: tuple[str, ...]) -> str | None:
        value = self.get(name)
        if value is None or value.lower() in words:
            return value and value.lower()
        raise self._fault(name, " or ".join(f"`{word}`" for word in words))

    def _flag(self, name: str) -> bool | None:
        value = self._one_of(name, ("true", "false"))
        return None if value is None else value == "true"

    def _fault(self, name: str, wanted: str) -> InvalidRequest:
        header = self.family + name
        return InvalidRequest(f"The header {header} must hold {wanted}.", param=header)


@lru_cache(maxsize=256)
def _parsed_hooks(text: str, stage: Stage, header: str) -> tuple[AnyHook, ...]:
    """Return the guardrails of a header; each text is parsed once, and a fault is not kept."""
    try:
        return parse_hooks(text.encode("latin-1"), stage, header)
    except InvalidConfig as exc:
        raise InvalidConfig(exc.message, exc.faults, param=header) from None


def encode_fields(family: str, fields: Mapping[str, str]) -> RawHeaders:
    """Write gateway fields with a family's prefix; what cannot stand in a header is replaced.

    Values may hold names of parameters as the caller made them up, of any length and letters.
    """
    return tuple(
        [
            (field_name(family, name), _UNWRITABLE.sub("?", value[:_MAX_VALUE]).encode("ascii"))
            for name, value in fields.items()
        ]
    )


@cache
def field_name(family: str, name: str) -> bytes:
    """Return the name of a gateway's field as it is sent."""
    return (family + name).encode("ascii")
