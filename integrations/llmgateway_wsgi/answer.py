"""An answer as WSGI servers take it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.util import is_hop_by_hop

from llmgateway.runtime import SyncResponse
from llmgateway_wsgi.environ import StartResponse

__all__ = ["respond"]

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    246: "Hooks Failed",
    446: "Hooks Failed",
    499: "Client Closed Request",
    529: "Overloaded",
}


def respond(
    answer: SyncResponse, start_response: StartResponse, *, head_only: bool
) -> Iterable[bytes]:
    """Start an answer and return its body; the server closes what has a `close`.

    The connection is the server's own, so fields that are about it are left out.
    """
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in answer.headers
        if not is_hop_by_hop(name.decode("latin-1"))
    ]
    status = f"{answer.status} {_REASONS.get(answer.status, 'Status')}"
    body = answer.body
    if not isinstance(body, bytes):
        start_response(status, headers)
        return body
    # A 204 may not state a length, and the length of no body is not the one of a GET's.
    if answer.status != 204 and (body or not head_only):
        headers.append(("content-length", str(len(body))))
    start_response(status, headers)
    return () if head_only or not body else (body,)
