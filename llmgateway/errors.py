"""Every error that the gateway raises, each with its HTTP status, OpenAI `type` and `code`.

    GatewayError
    ├── RequestError                      the caller's fault
    │   ├── InvalidRequest                400 invalid_request_error
    │   │   ├── InvalidJSON               400 invalid_json
    │   │   ├── InvalidConfig             400 invalid_config, with every fault
    │   │   ├── RoutingFailed             400 routing_failed
    │   │   └── EndpointNotSupported      400 endpoint_not_supported
    │   ├── InvalidAPIKey                 401 invalid_api_key
    │   ├── PermissionDenied              403 permission_denied
    │   ├── NotFound                      404 not_found
    │   ├── MethodNotAllowed              405 method_not_allowed
    │   ├── RequestTooSlow                408 request_timeout
    │   ├── RequestTooLarge               413 request_too_large
    │   ├── UnsupportedMediaType          415 unsupported_media_type
    │   ├── TooManyFailedTries            429 too_many_failed_tries
    │   └── HeadersTooLarge               431 headers_too_large
    ├── ClientDisconnected                499 client_closed (in the log only)
    ├── AttemptTimedOut                   408 timeout_error: a config's `request_timeout` ran out
    ├── HooksFailed                       446 hooks_failed: a guardrail denied the call
    ├── InternalError                     500 internal_error: a bug
    ├── Draining                          503 draining
    ├── StoreUnavailable                  503 store_unavailable
    ├── TransportError                    the network or the provider's HTTP
    │   ├── AddressRefused                400 address_refused: the guard's no
    │   ├── UpstreamUnreachable           502 upstream_unreachable
    │   ├── ConnectionLost                502 connection_lost: closed before any byte of an answer
    │   ├── UpstreamProtocolError         502 upstream_protocol_error
    │   ├── UpstreamTooLarge              502 upstream_too_large
    │   └── UpstreamTimeout               504 upstream_timeout
    ├── UpstreamAuthFailed                502 upstream_auth_failed: our credential was refused
    ├── CredentialUnreadable              502 credential_unreadable: a sealed one cannot be opened
    └── UpstreamError                     the provider's own status, type and code
    StreamAborted                         a stream that ended badly; the shell cuts the connection

A message says what to do next. It never holds a key, a prompt, an answer, a URL with a query,
a path of this machine or the name of an exception class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class GatewayError(Exception):
    """The base of all errors that become an HTTP answer."""

    status: int = 500
    type: str | None = "internal_error"
    code: str | int | None = "internal_error"
    headers: ClassVar[dict[str, str]] = {}
    """Response headers that belong to every error of this class."""
    gateway_made: ClassVar[bool] = True
    """False where the words are a provider's."""

    def __init__(
        self, message: str, *, param: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s

    def to_openai(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the body in OpenAI's shape: `{"error": {message, type, param, code, request_id}}`.

        Source: https://platform.openai.com/docs/guides/error-codes
        """
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
                "request_id": request_id,
            }
        }


class RequestError(GatewayError):
    """The request itself is at fault; sending it again unchanged will not help."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request_error"


class _ValidationError(RequestError):
    """A fault found before anything was sent; the body also has the contract's two fields."""

    def to_openai(self, request_id: str | None = None) -> dict[str, Any]:
        """Return OpenAI's shape plus the top-level `status` and `message` of Portkey's contract."""
        return {
            "status": "failure",
            "message": self.message,
            **super().to_openai(request_id),
        }


class InvalidRequest(_ValidationError):
    """A header, a field or the body as a whole cannot be used."""


class InvalidJSON(InvalidRequest):
    """The body is not one JSON value that we accept."""

    code = "invalid_json"


class InvalidConfig(InvalidRequest):
    """A routing config is at fault; `faults` are pairs of JSON path and words, all of them."""

    code = "invalid_config"

    def __init__(
        self, message: str, faults: Sequence[tuple[str, str]] = (), *, param: str = "config"
    ) -> None:
        super().__init__(message, param=param)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"{path}: {text}" for path, text in self.faults)])

    def to_openai(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the validation shape with an `errors` entry for each fault."""
        body = super().to_openai(request_id)
        if self.faults:
            body["errors"] = [f"path: {path}, message: {text}" for path, text in self.faults]
            path, text = self.faults[0]
            body["error"]["message"] = f"{self.message}: {path or 'config'}: {text}"
        return body


class RoutingFailed(InvalidRequest):
    """A config's conditions name no target for this request."""

    code = "routing_failed"


class EndpointNotSupported(InvalidRequest):
    """The chosen provider does not serve this endpoint."""

    code = "endpoint_not_supported"


class InvalidAPIKey(RequestError):
    """The caller is not known; unknown, revoked, expired and malformed keys all read alike."""

    status = 401
    code = "invalid_api_key"
    headers: ClassVar[dict[str, str]] = {"www-authenticate": "Bearer"}


class PermissionDenied(RequestError):
    """The caller is known (or allowed to be unknown) but may not do this."""

    status = 403
    type = "permission_denied"
    code = "permission_denied"


class NotFound(RequestError):
    """No such route."""

    status = 404
    code = "not_found"


class MethodNotAllowed(RequestError):
    """The route exists, but not for this method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allow: Sequence[str]) -> None:
        super().__init__(message)
        self.allow = tuple(allow)


class RequestTooSlow(RequestError):
    """The client took too long to send its own request."""

    status = 408
    type = "timeout_error"
    code = "request_timeout"


class RequestTooLarge(RequestError):
    """The body is over the limit."""

    status = 413
    code = "request_too_large"
    headers: ClassVar[dict[str, str]] = {"connection": "close"}


class UnsupportedMediaType(RequestError):
    """The body is encoded in a way that we do not decode."""

    status = 415
    code = "unsupported_media_type"


class TooManyFailedTries(RequestError):
    """The caller is not known, and too many such requests have come from this address."""

    status = 429
    type = "rate_limit_error"
    code = "too_many_failed_tries"
    # SDKs would send a wrong key again.
    headers: ClassVar[dict[str, str]] = {"x-should-retry": "false"}


class HeadersTooLarge(RequestError):
    """The request head is over the limit."""

    status = 431
    code = "headers_too_large"


class ClientDisconnected(GatewayError):
    """The client has gone; nobody reads this answer."""

    status = 499
    code = "client_closed"


class AttemptTimedOut(GatewayError):
    """The `request_timeout` of a config or header ran out on one attempt."""

    status = 408
    type = "timeout_error"
    code = None


class HooksFailed(GatewayError):
    """A guardrail with `deny` failed; `hook_results` in the body tells which one and why."""

    status = 446
    type = "hooks_failed"
    code = None

    def __init__(self, hook_results: dict[str, Any]) -> None:
        super().__init__(
            "The guardrail checks defined in the config failed. You can find more information in "
            "the `hook_results` object."
        )
        self.hook_results = hook_results

    def to_openai(self, request_id: str | None = None) -> dict[str, Any]:
        """Return OpenAI's shape with `hook_results` beside `error`."""
        return {**super().to_openai(request_id), "hook_results": self.hook_results}


class InternalError(GatewayError):
    """A bug of ours. Its message never tells what happened; the log does."""


class Draining(GatewayError):
    """The server is about to stop."""

    status = 503
    type = "overloaded"
    code = "draining"


class StoreUnavailable(GatewayError):
    """The host's database does not answer, and what it would have told is not known here."""

    status = 503
    type = "overloaded"
    code = "store_unavailable"


class TransportError(GatewayError):
    """A call that failed on the way to a provider or back."""

    status = 502
    type = "upstream_error"
    code = "upstream_unreachable"


class AddressRefused(TransportError):
    """The address guard refused an upstream; raised before any byte is sent."""

    status = 400
    type = "invalid_request_error"
    code = "address_refused"


class UpstreamUnreachable(TransportError):
    """No connection could be made: name, route, refusal or TLS."""


class ConnectionLost(TransportError):
    """The connection closed before any byte of an answer; `reused` tells if it was a pooled one."""

    code = "connection_lost"

    def __init__(self, message: str, *, reused: bool = False) -> None:
        super().__init__(message)
        self.reused = reused


class UpstreamProtocolError(TransportError):
    """The answer is broken HTTP, was cut short, or is not what its format says."""

    code = "upstream_protocol_error"


class UpstreamTooLarge(TransportError):
    """The answer is over a cap: head, line, body or decoded body."""

    code = "upstream_too_large"


class UpstreamTimeout(TransportError):
    """One of our own limits ran out: first byte, idle or total."""

    status = 504
    type = "timeout_error"
    code = "upstream_timeout"


class UpstreamAuthFailed(GatewayError):
    """A provider refused a credential that this gateway holds; the caller's key is not at fault."""

    status = 502
    type = "upstream_error"
    code = "upstream_auth_failed"


class CredentialUnreadable(GatewayError):
    """A stored credential cannot be opened: the key that it was sealed with is gone."""

    status = 502
    type = "upstream_error"
    code = "credential_unreadable"


class UpstreamError(GatewayError):
    """What a provider answered, with its own status, type, code and words.

    `extra` holds the members of the provider's error object that OpenAI's shape does not name.
    """

    gateway_made = False

    def __init__(
        self,
        message: str,
        *,
        status: int,
        provider: str,
        type: str | None = None,
        code: str | int | None = None,
        param: str | None = None,
        extra: dict[str, Any] | None = None,
        names_provider: bool = False,
    ) -> None:
        super().__init__(message, param=param)
        self.status = status
        self.type = type
        self.code = code
        self.provider = provider
        self.extra = extra or {}
        self.names_provider = names_provider

    def to_openai(self, request_id: str | None = None) -> dict[str, Any]:
        """Return OpenAI's shape; the message begins with the provider, as the contract has it."""
        body = super().to_openai(request_id)
        if not self.names_provider:
            body["error"]["message"] = f"{self.provider} error: {self.message}"
        body["error"] = {**self.extra, **body["error"]}
        body["provider"] = self.provider
        return body


class StreamAborted(Exception):
    """The stream ended badly after its status was sent; the connection must be cut."""
