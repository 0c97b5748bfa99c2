"""Reads and writes errors as `google.rpc.Status`, alone or in an array.

Source: https://cloud.google.com/apis/design/errors and
https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from llmgateway.codecs import faults
from llmgateway.codecs.faults import MAX_JSON_BYTES, Fault
from llmgateway.codecs.generate_content.shape import an_object, objects
from llmgateway.errors import GatewayError, UpstreamError
from llmgateway.types import JSON
from llmgateway.types.http import Headers

WORDLESS: Final = "The provider answered with an error without saying which."

STATUS_BY_NAME: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The HTTP status of each canonical code.

Source: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
"""

_NAME_BY_STATUS: Final = {
    **{status: name for name, status in reversed(list(STATUS_BY_NAME.items()))},
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    502: "UNAVAILABLE",
    529: "UNAVAILABLE",
}
_DOMAIN: Final = "llmgateway"


def fault_of(value: Any) -> Fault | None:
    """Find the error in a parsed body or event; the status's name is its type and its code."""
    body = value[0] if isinstance(value, list) and value else value
    if not isinstance(body, dict) or not body.get("error"):
        return None
    fault = faults.find_fault(body, WORDLESS)
    return None if fault is None else _named(fault, body)


def _named(fault: Fault, body: JSON) -> Fault:
    name = an_object(body.get("error")).get("status")
    if not isinstance(name, str) or not name or len(name) > faults.MAX_FIELD:
        return fault
    return replace(
        fault, type=name, code=name, status=fault.status or STATUS_BY_NAME.get(name.upper())
    )


def decode_error(status: int, headers: Headers, body: bytes, provider: str) -> UpstreamError:
    """Rebuild a provider's error answer, whatever its body is."""
    fault = fault_of(_parse(body))
    if fault is None:
        return faults.decode_error(status, headers, body, provider)
    return fault.to_error(provider, status)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body) if len(body) <= MAX_JSON_BYTES else None
    except orjson.JSONDecodeError:
        return None


def encode_error(error: GatewayError, request_id: str) -> JSON:
    """Return an error answer's body as Google's clients read it.

    `code` is a number there, so the contract's code stands in an `ErrorInfo`; its other fields
    stand beside, but for the `status` at top level, which Google's SDK takes for the error's.
    """
    body = error.to_openai(request_id)
    body.pop("status", None)
    within = body["error"]
    stated = within.get("status")
    name = stated if isinstance(stated, str) and stated else _status_name(error.status)
    details = objects(within.get("details"))
    if isinstance(within["code"], str):
        info = {"reason": within["code"], "domain": _DOMAIN}
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info})
    members = {"code": error.status, "message": within["message"], "status": name}
    return {**body, "error": {**within, **members, "details": details}}


def _status_name(status: int) -> str:
    return _NAME_BY_STATUS.get(status) or ("INVALID_ARGUMENT" if status < 500 else "INTERNAL")
