"""Which header fields cross the gateway, in both directions: allow-lists, never pass-through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from llmgateway.engine.body import Outgoing
from llmgateway.engine.credentials import Credential
from llmgateway.engine.plan import Target
from llmgateway.errors import InvalidRequest
from llmgateway.providers.base import Provider
from llmgateway.settings import Settings
from llmgateway.types.call import Call
from llmgateway.types.http import Headers, RawHeaders

PASSED_UP = (b"content-type", b"accept")
"""What a provider always gets of the caller's head."""

NEVER_UP = frozenset({
    b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key",
    b"cookie", b"x-csrftoken", b"x-csrf-token", b"x-xsrf-token", b"referer", b"origin", b"host",
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade", b"expect", b"content-length", b"content-encoding", b"accept-encoding",
    b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip",
    b"remote-user", b"x-remote-user", b"metadata-flavor", b"x-aws-ec2-metadata-token",
    b"x-google-metadata-request", b"cf-access-jwt-assertion",
})  # fmt: skip
"""What no list, of a caller or an operator, can make go to a provider."""

NEVER_UP_PREFIXES = (
    b"x-forwarded-",
    b"x-auth-request-",
    b"x-amzn-oidc-",
    b"x-goog-iap-",
    b"x-goog-authenticated-",
    b"x-ms-client-principal",
    b"x-ms-token-",
)
"""The same, for what proxies tell of a user: tokens that callers themselves never see."""

OUR_FAMILIES = (b"x-portkey-", b"x-llmgateway-")

PASSED_DOWN = frozenset({
    b"content-type", b"retry-after", b"retry-after-ms", b"x-ms-retry-after-ms",
    b"content-disposition", b"request-id", b"x-request-id", b"openai-processing-ms",
    b"openai-version", b"openai-model", b"apim-request-id", b"x-groq-region",
})  # fmt: skip
"""What a client sees of a provider's head, besides rate limits."""

NEVER_DOWN = frozenset({
    b"set-cookie", b"strict-transport-security", b"alt-svc", b"server", b"connection",
    b"keep-alive", b"proxy-authenticate", b"trailer", b"transfer-encoding", b"upgrade",
    b"content-length", b"content-encoding", b"www-authenticate",
    b"cache-control", b"x-should-retry", b"x-accel-buffering", b"x-accel-redirect", b"x-sendfile",
})  # fmt: skip
"""What no list can make go to a client; some of it the gateway or its host says itself."""

_RATE_LIMITS = (b"x-ratelimit-", b"ratelimit-", b"anthropic-ratelimit-")
_USER_AGENT = (b"user-agent", b"llmgateway")


def upstream_headers(
    call: Call, target: Target, credential: Credential, body: Outgoing, settings: Settings
) -> RawHeaders:
    """Return the head of a request to a provider, but for `varying_headers`.

    Ours come first and cannot be overridden by what is forwarded; each name is sent once.
    Raises `InvalidRequest` for a value that cannot stand in a header.
    """
    provider = target.provider
    options = {**target.options, **credential.options}
    try:
        fields = dict(provider.auth.headers(credential.key, options))
        fields.update(_option_fields(call, provider, options, native=body.translation is None))
        own = {_name(header): text.encode("latin-1") for header, text in provider.headers.items()}
        fields = {**own, **fields}
        for header, text in body.headers.items():
            name, value = _name(header), text.encode("latin-1")
            # What a row has a value for, such as a version, is one; all else is a list.
            fields[name] = value if name in own else _joined(fields.get(name, b""), value)
    except UnicodeEncodeError:
        raise InvalidRequest("A key or an option holds a character that no header can.") from None
    named = call.overrides.forward_headers
    asked = target.policy.forward_headers if named is None else named
    for name, value in forwarded(call.headers, (*asked, *settings.forward_headers)):
        fields.setdefault(name, value)
    fields.setdefault(*_USER_AGENT)
    if provider.request_id_header:
        fields.pop(_name(provider.request_id_header), None)
    length = call.headers.get("content-length")
    if length is not None and not isinstance(call.raw, bytes):
        fields[b"content-length"] = length.encode("ascii")
    _refuse_line_breaks(fields)
    return tuple(fields.items())


def varying_headers(call: Call, target: Target) -> RawHeaders:
    """Return the fields of a request to a provider that differ from call to call."""
    name = target.provider.request_id_header
    return ((_name(name), call.trace_id.encode("latin-1")),) if name else ()


def _option_fields(
    call: Call, provider: Provider, options: Mapping[str, str], *, native: bool
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the options that the provider wants as headers of their own.

    Where caller and provider speak the same format, the caller's version and betas go along
    whatever the config says of credentials: they are part of the format.
    """
    for option in provider.options:
        value = options.get(option.name)
        if value is None and native and option.is_protocol and option.bare_header:
            value = call.headers.get(option.bare_header)
        if value is not None and option.send_as:
            yield _name(option.send_as), value.encode("latin-1")


def _joined(first: bytes, second: bytes) -> bytes:
    """Return the members of two lists, each once."""
    members = (member.strip() for member in (*first.split(b","), *second.split(b",")))
    return b",".join(dict.fromkeys(member for member in members if member))


@lru_cache(maxsize=256)
def _name(header: str) -> bytes:
    return header.lower().encode("ascii")


def forwarded(headers: Headers, asked: tuple[str, ...]) -> RawHeaders:
    """Return what goes on of a caller's head: the usual fields and those asked for.

    An underscore in `asked` also means a dash: Portkey's Python SDK lists the keyword that a
    header was given as (`X_Tenant`), and sends it as `X-Tenant` (portkey-ai 2.3).
    """
    names = [name.strip().lower().encode("latin-1", "replace") for name in asked]
    wanted = {*PASSED_UP, *names, *(name.replace(b"_", b"-") for name in names)}
    dropped = NEVER_UP | _named_in_connection(headers)
    return tuple(
        (name, value)
        for name, value in headers
        if name in wanted
        and name not in dropped
        and not name.startswith((*OUR_FAMILIES, *NEVER_UP_PREFIXES))
    )


def _named_in_connection(headers: Headers) -> frozenset[bytes]:
    """Return the fields that the client declared to be for the next hop only (RFC 9110, 7.6.1)."""
    named = ",".join(headers.get_all("connection"))
    return frozenset(name.strip().lower().encode("latin-1") for name in named.split(",") if name)


def _refuse_line_breaks(fields: dict[bytes, bytes]) -> None:
    for name, value in fields.items():
        if any(byte < 0x20 and byte != 0x09 or byte == 0x7F for byte in value):
            raise InvalidRequest(
                f"The value for the header {name.decode('ascii', 'replace')} holds a control "
                "character."
            )


def client_headers(headers: Headers, exposed: tuple[str, ...]) -> RawHeaders:
    """Return what a client sees of a provider's head."""
    return tuple([field for field in headers.raw if _passes_down(field[0], exposed)])


@lru_cache(maxsize=1024)
def _passes_down(name: bytes, exposed: tuple[str, ...]) -> bool:
    # Providers send the same few names time and again.
    if name in PASSED_DOWN or name.startswith(_RATE_LIMITS):
        return True
    is_exposed = name.decode("latin-1") in [other.lower() for other in exposed]
    return is_exposed and name not in NEVER_DOWN and not name.startswith(OUR_FAMILIES)


def with_type(headers: RawHeaders, content_type: bytes | None) -> RawHeaders:
    """Return a head with another content type; None: with its own."""
    if content_type is None:
        return headers
    kept = tuple((name, value) for name, value in headers if name != b"content-type")
    return ((b"content-type", content_type), *kept)
