"""Reads what providers say when they fail: bodies with an error status, and errors inside a 200.

Nothing here raises: whatever a provider sends becomes one `UpstreamError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson

from llmgateway.errors import UpstreamError
from llmgateway.types import JSON
from llmgateway.types.http import Headers

MAX_MESSAGE: Final = 4_000
"""Characters of a provider's message that are kept."""
MAX_QUOTE: Final = 500
"""Characters that are quoted of a body that cannot be read."""
MAX_FIELD: Final = 256
MAX_EXTRA_BYTES: Final = 16 * 1024
MAX_JSON_BYTES: Final = 1024 * 1024
"""A longer error body is quoted, not parsed."""

_WORD_KEYS: Final = (
    "message",
    "msg",
    "detail",
    "details",
    "error_description",
    "description",
    "error",
    "errors",
)
_STATUS_KEYS: Final = ("code", "status", "status_code", "statusCode")
_MAX_DEPTH: Final = 5
_NAMED: Final = frozenset({"message", "msg", "type", "code", "param"})

STATUS_BY_WORD: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "bad_request": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "invalid_prompt": 400,
    "tool_use_failed": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthorized": 401,
    "billing_error": 402,
    "insufficient_credits": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found": 404,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit": 429,
    "rate_limited": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "server_error": 500,
    "overloaded": 503,
    "engine_overloaded": 503,
    "server_overloaded": 503,
    "service_unavailable": 503,
    "slow_down": 503,
    "timeout": 504,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that an error's code or type stands for, where a 2xx came before it.

Sources: https://platform.openai.com/docs/guides/error-codes and
https://docs.anthropic.com/en/api/errors (whose 529 has no other name).
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a provider says of its failure."""

    message: str
    type: str | None = None
    code: str | int | None = None
    param: str | None = None
    extra: JSON = field(default_factory=dict)
    status: int | None = None
    """The HTTP status that it names itself."""
    names_provider: bool = False
    """Whether the message says already whose words it holds."""

    def to_error(self, provider: str, status: int | None = None) -> UpstreamError:
        """Return it as an exception; where no `status` came with it, with the one it implies."""
        return UpstreamError(
            self.message,
            status=status or self.status or self._status_by_word(),
            provider=provider,
            type=self.type,
            code=self.code,
            param=self.param,
            extra=self.extra,
            names_provider=self.names_provider,
        )

    def _status_by_word(self) -> int:
        words = (word.lower() for word in (self.code, self.type) if isinstance(word, str))
        return next((STATUS_BY_WORD[word] for word in words if word in STATUS_BY_WORD), 502)


def decode_error(status: int, headers: Headers, body: bytes, provider: str) -> UpstreamError:
    """Rebuild a provider's error answer, whatever its body is."""
    text = body[: MAX_MESSAGE * 4].decode("utf-8", "replace").strip()
    kind = (headers.get("content-type") or "").lower()
    if not text:
        fault: Fault | None = Fault(_phrase(status))
    elif "text/html" in kind or text[:14].lower().startswith(("<!doctype html", "<html")):
        fault = Fault(f"{_phrase(status)} (an HTML page came instead of an API answer)")
    else:
        value = _parse(body)
        fault = None if value is None else find_fault(value)
        if fault is None and value is None and "json" not in kind and text[0] not in "{[":
            fault = Fault(_short(text, MAX_MESSAGE))
    return (fault or _unreadable(text, provider)).to_error(provider, status)


def _unreadable(text: str, provider: str) -> Fault:
    """Quote a body that says nothing we know; the words are those of Portkey's contract."""
    message = f"Invalid response received from {provider}: {_short(text, MAX_QUOTE)}"
    return Fault(message, names_provider=True)


def find_fault(value: object, wordless: str | None = None) -> Fault | None:
    """Find the error in a parsed body or event, in any of the shapes that providers use.

    `{"error": {…}}` (OpenAI), `{"error": "…", "error_type"}` (Hugging Face), `{"detail": …}`
    (FastAPI), `{"errors": [{message, code}]}` (Cloudflare), the members at top level (Mistral), any
    of them in a list (Google), a bare string. An object without words has those of `wordless`.
    """
    if isinstance(value, list):
        return next((fault for item in value[:3] if (fault := find_fault(item, wordless))), None)
    if isinstance(value, str):
        return Fault(_short(value.strip(), MAX_MESSAGE)) if value.strip() else None
    if not isinstance(value, dict):
        return None
    body: JSON = value
    inner, is_sole = _error_object(body)
    message = (_words(inner) if is_sole else None) or _words(body) or wordless
    if message is None:
        return None
    return Fault(
        _short(message, MAX_MESSAGE),
        type=_name(inner.get("type")) or _name(body.get("error_type")),
        code=_code(inner.get("code"), body.get("code")),
        param=_name(inner.get("param")),
        extra=_extra(inner) if is_sole else {},
        status=_status(place.get(key) for place in (inner, body) for key in _STATUS_KEYS),
    )


def _error_object(body: JSON) -> tuple[JSON, bool]:
    """Return the object that the error's members stand in, and whether it holds nothing else.

    That is not so of the first in a list (FastAPI repeats the caller's input there), nor of a body
    with a text under `error`, whose other members may be an answer's.
    """
    for key in ("error", "errors", "detail"):
        inner = body.get(key)
        if isinstance(inner, dict) and inner:
            return inner, True
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            return inner[0], False
    return body, "message" in body and "error" not in body


def _words(value: object, depth: int = 0) -> str | None:
    """Return the words in `value`, which providers nest in many ways."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        found = [words for item in value[:10] if (words := _words(item, depth + 1))]
        return "; ".join(found) or None
    if not isinstance(value, dict):
        return None
    for key in _WORD_KEYS:
        if words := _words(value.get(key), depth + 1):
            return f"{_place(value['loc'])}{words}" if "loc" in value else words
    return None


def _place(loc: object) -> str:
    """Return where FastAPI saw the fault: `["body", "messages", 0]` is `body.messages.0: `."""
    return f"{'.'.join(str(part) for part in loc[:10])}: " if isinstance(loc, list) else ""


def _name(value: object) -> str | None:
    """Return `value` if it names something; that an error is an `error` says nothing."""
    if not isinstance(value, str) or value in ("", "error"):
        return None
    return _short(value, MAX_FIELD)


def _code(*values: object) -> str | int | None:
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value:
            return _short(value, MAX_FIELD)
    return None


def _extra(source: JSON) -> JSON:
    """Return the members that OpenAI's shape does not name, within a bound of bytes and depth."""
    kept: JSON = {}
    room = MAX_EXTRA_BYTES
    for key, value in source.items():
        if key not in _NAMED and (size := _size({key: value})) <= room:
            room -= size
            kept[key] = value
    return kept


def _size(value: JSON) -> int:
    try:
        # Some levels deeper than it will be written: orjson's own depth limit must not break later.
        return len(orjson.dumps([[[[value]]]]))
    except TypeError:
        return MAX_EXTRA_BYTES + 1


def _parse(body: bytes) -> Any:
    """Return the JSON value of `body`, or None if it has none."""
    if len(body) > MAX_JSON_BYTES:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _status(values: Iterable[object]) -> int | None:
    """Return the first of `values` that is an HTTP status of failure, as a number or in digits."""
    for value in values:
        if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
