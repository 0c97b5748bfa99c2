"""A request's head, read once for all requests that have the same one.

A client sends the same fields with each request, but for the length of its body. What they say
is worked out at the first need and serves the next request as well: parsed policies, digests of
keys, what goes on to a provider. Only what depends on nothing but the head is kept here.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple

from llmgateway.engine.authorize import Credentials
from llmgateway.errors import HeadersTooLarge, InvalidRequest, UnsupportedMediaType
from llmgateway.http.headers import GatewayHeaders
from llmgateway.settings import Limits
from llmgateway.types.http import Headers, RawHeaders

MAX_HEADS = 512
"""How many are kept; the ones used last."""
MAX_KEPT_BYTES = 8 * 1024
"""A longer head is read anew each time, so that what is kept stays within 4 MiB."""

_LENGTH = b"content-length"


class UnclearFraming(InvalidRequest):
    """The length of the body is stated twice or oddly; the connection cannot be trusted."""

    headers: ClassVar[dict[str, str]] = {"connection": "close"}


class Head:
    """What the fields of a request say, but for the length of its body.

    Shared by requests: what is kept must depend on the fields alone, and a fault is never kept.
    """

    def __init__(self, fields: RawHeaders) -> None:
        self.headers = Headers.lowered(fields)
        self.size = sum([len(name) + len(value) for name, value in fields])
        """In bytes, without line ends and separators."""
        self.memo: dict[Any, Any] = {}
        """See `Call.memo`."""

    @cached_property
    def ours(self) -> GatewayHeaders:
        """The gateway's own fields."""
        return GatewayHeaders.read(self.headers)

    @cached_property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty if there is none."""
        return (self.headers.get("content-type") or "").partition(";")[0].strip().lower()

    @cached_property
    def credentials(self) -> Credentials:
        """The keys that it brings. Raises `InvalidAPIKey` where one is there twice."""
        return Credentials.read(self.headers)

    @cached_property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks. Raises where two readers could differ on the request.

        Servers differ in what they let through; this is the last place to ask (S5).
        """
        codings = self.headers.get_all("transfer-encoding")
        if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise UnclearFraming(_TWO_WAYS)
        if len(self.headers.get_all("host")) > 1:
            raise UnclearFraming("Send one Host.")
        encoding = self.headers.get("content-encoding")
        if encoding and encoding.strip().lower() != "identity":
            raise UnsupportedMediaType("Send the body without Content-Encoding.")
        return bool(codings)


class Arrived(NamedTuple):
    """The head of one request."""

    head: Head
    lengths: tuple[bytes, ...]
    """The values of its Content-Length fields."""

    def check(self, limits: Limits) -> None:
        """Refuse heads that are too large, or whose length or host could be read in two ways.

        Raises `HeadersTooLarge`, `UnclearFraming`, `UnsupportedMediaType` (S4, S5).
        """
        head, lengths = self
        if head.size > limits.max_head_bytes:
            raise HeadersTooLarge(f"The request head is over {limits.max_head_bytes} bytes.")
        if lengths and not (len(lengths) == 1 and lengths[0].isdigit()):
            raise UnclearFraming("Send one Content-Length, in digits.")
        if head.is_chunked and lengths:
            raise UnclearFraming(_TWO_WAYS)

    @property
    def declared(self) -> int | None:
        """The length of the body in bytes as the head has it; only after `check`."""
        if not self.lengths:
            return None
        digits = self.lengths[0]
        return int(digits) if len(digits) <= 15 else 10**15


class Heads:
    """The heads met last. Safe from any thread."""

    def __init__(self) -> None:
        self._kept = lru_cache(maxsize=MAX_HEADS)(_short_head)

    def read(self, headers: Headers) -> Arrived:
        """Find or read a request's head. Raises nothing."""
        raw = headers.raw
        fields = tuple([field for field in raw if field[0] != _LENGTH])
        lengths: tuple[bytes, ...] = ()
        if len(fields) < len(raw):
            lengths = tuple([value for name, value in raw if name == _LENGTH])
        try:
            return Arrived(self._kept(fields), lengths)
        except _TooLongToKeep as long:
            return Arrived(long.head, lengths)


class _TooLongToKeep(Exception):
    """What is raised is not cached."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head


def _short_head(fields: RawHeaders) -> Head:
    head = Head(fields)
    if head.size > MAX_KEPT_BYTES:
        raise _TooLongToKeep(head)
    return head


_TWO_WAYS = "Send either Content-Length or Transfer-Encoding: chunked."
