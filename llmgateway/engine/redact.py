"""Takes our credentials out of what a provider says; some repeat the key that they refuse."""

from __future__ import annotations

from llmgateway.errors import GatewayError, UpstreamError

_MARK = "[redacted]"
_SHORTEST = 6
"""A shorter secret would be found in innocent words."""


def redacted(error: GatewayError, secrets: tuple[str, ...]) -> GatewayError:
    """Return an error without the secrets that its words, type, code or members repeat."""
    if not isinstance(error, UpstreamError):
        return error
    for secret in secrets:
        if len(secret) < _SHORTEST:
            continue
        error.message = error.message.replace(secret, _MARK)
        error.type = _without(error.type, secret)
        error.param = _without(error.param, secret)
        if isinstance(error.code, str):
            error.code = error.code.replace(secret, _MARK)
        if error.extra and secret in str(error.extra):
            error.extra = {}
    return error


def redacted_bytes(raw: bytes, secrets: tuple[str, ...]) -> bytes:
    """Return bytes that pass as they came, but for our secrets."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            raw = raw.replace(secret.encode("utf-8", "surrogatepass"), _MARK.encode())
    return raw


def _without(text: str | None, secret: str) -> str | None:
    return None if text is None else text.replace(secret, _MARK)
