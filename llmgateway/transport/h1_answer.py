"""Answers in HTTP/1.1, taken apart as their bytes come: no I/O, no clock.

llhttp (in httptools) reads the syntax, strictly: line ends, names, values, lengths, chunk sizes.
What it lets through or does not see is judged here: versions, statuses, transfer codings, interim
answers, sizes, and whether an answer ended just where the bytes did.
"""

from __future__ import annotations

import re

import httptools

from llmgateway.errors import GatewayError, UpstreamProtocolError, UpstreamTooLarge

MAX_HEAD_BYTES = 64 * 1024
"""Status line and header fields; interim answers (1xx) have as much each."""
MAX_FIELDS = 256
"""Header fields of an answer, and as many trailers; providers send about 30."""
MAX_INTERIM_HEADS = 16
MAX_CHUNK_WASTE_BYTES = 4096
"""What may stand around chunks beyond their sizes: extensions, and all trailers together."""

_CHUNK_LINES_BYTES = 24
"""What every chunk may have around it: a size of up to 16 digits, and line ends."""
_TAIL_BYTES = 5
_BODILESS = frozenset({204, 304})
_LINE_END = b"\r\n"
_KEEP_ALIVE = re.compile(rb"timeout=([0-9]{1,6})", re.IGNORECASE)

_BROKEN = "The provider sent an answer that is not valid HTTP/1.1."
OTHER_VERSION = (
    "The provider does not answer in HTTP/1.1; the gateway's operator can offer it HTTP/2: set"
    " `http2` in `upstream_transport`, or in this origin's entry in `upstream_transports`."
)


class _Stop(Exception):
    """Ends the parser's work, which it cannot go on with; why stands in the answer."""


class Answers:
    """The answers on one connection, one after the other: `begin`, `feed` until one is complete.

    What came before a `fault` is sound. Everything here is read by the response too.
    """

    __slots__ = (
        "_chunked",
        "_from",
        "_head_bytes",
        "_interim",
        "_opening",
        "_parser",
        "_tail",
        "_to_head",
        "_trailers",
        "_waste",
        "begun",
        "body",
        "complete",
        "fault",
        "fields",
        "first",
        "is_head_done",
        "length",
        "on_body",
        "reusable",
        "size",
        "status",
    )

    def __init__(self) -> None:
        self.body: list[bytes] = []
        """What has come of the body and was not taken yet."""
        self.fields: list[tuple[bytes, bytes]] = []
        """The head's; names in lower case."""
        self.on_body = self.body.append  # the parser calls it, chunk by chunk
        self._parser: httptools.HttpResponseParser | None = None
        self.begin(False)

    def begin(self, to_head: bool) -> None:
        """Be ready for the answer to the next request; `to_head` if that was a HEAD."""
        self.status = 0
        self.first: dict[bytes, bytes] = {}
        """The first value of each name."""
        self.length: int | None = None
        """What was announced of a body that is sent."""
        self.size = 0
        """Bytes in `body`."""
        self.fault: GatewayError | None = None
        self.begun = self.is_head_done = self.complete = self.reusable = False
        self.fields.clear()
        self._to_head = to_head
        self._chunked = False
        self._interim = self._head_bytes = self._from = self._trailers = self._waste = 0
        self._opening = self._tail = b""
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        was_over = self.complete or self.fault is not None  # named, since mypy takes it for lasting
        if was_over:
            self.reusable = False
            return
        in_head = not self.is_head_done
        if in_head and not self._begins(data):
            return
        assert self._parser is not None
        body = self.body
        before = len(body)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._note_error(data)
        chunks = len(body) - before
        got = 0
        if chunks:
            if chunks > 1:
                body[before:] = [b"".join(body[before:])]
            got = len(body[-1])
            self.size += got
        if in_head:
            self._check_head(data)
        if self._chunked:
            size = len(data)
            self._tail = (data if size >= _TAIL_BYTES else self._tail + data)[-_TAIL_BYTES:]
            waste = self._waste + size - got - _CHUNK_LINES_BYTES * (chunks + 1)
            self._waste = 0 if waste <= 0 else self._judged(waste, in_head)
        if self.complete and self.reusable:
            self.reusable = self._ends_with(data, got)

    def take(self) -> bytes:
        """Take out what has come of the body; never call it with a `size` of 0."""
        body = self.body
        data = body[0] if len(body) == 1 else b"".join(body)
        body.clear()
        self.size = 0
        return data

    def end(self, *, clean: bool) -> bool:
        """Note that nothing more comes; `clean` if the other side said so. False: it was cut."""
        self.reusable = False
        if clean and self.is_head_done and self.fault is None and self._ends_by_closing():
            self.complete = True
        return self.complete

    def idle_s(self) -> float:
        """Return how long the connection may be used again; 0 if it may not."""
        if not self.reusable:
            return 0.0
        hint = self.first.get(b"keep-alive")
        found = None if hint is None else _KEEP_ALIVE.search(hint)
        # A second less, so that the provider does not close it while our request is on its way.
        return float(found[1]) - 1.0 if found else float("inf")

    # What the parser calls

    def on_message_begin(self) -> None:
        """Stop before a second answer."""
        if self.complete:
            raise _Stop

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field of the head; drop a trailer."""
        if self.is_head_done:
            self._trailers += 1
            if self._trailers > MAX_FIELDS:
                self._stop(_too_many())
        else:
            self.fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Judge a head."""
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._skip_interim()
            return
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._stop(UpstreamProtocolError(OTHER_VERSION))
        if not 200 <= status <= 599:
            self._stop(
                UpstreamProtocolError(
                    "The provider's response has a status that the gateway does not take; it asks"
                    " for no upgrade."
                )
            )
        self.status = status
        self.first = dict(reversed(self.fields))
        self._frame(version)
        # Last of all: from now on the response may be read.
        self.reusable = version == "1.1" and parser.should_keep_alive()
        self.is_head_done = True
        if status in _BODILESS:
            self.length, self._chunked = 0, False
        elif self._to_head:
            # llhttp would wait for the body that a GET has.
            self.length, self._chunked, self.complete = 0, False, True
            raise _Stop

    def on_message_complete(self) -> None:
        """Note the end, interim answers apart."""
        if self.is_head_done:
            self.complete = True

    # Inside

    def _begins(self, data: bytes) -> bool:
        """Look at a part of a head before the parser does; False if it is not for that."""
        if len(data) > MAX_HEAD_BYTES:
            # Step by step, so that no more than the caps piles up.
            for at in range(0, len(data), MAX_HEAD_BYTES):
                self.feed(data[at : at + MAX_HEAD_BYTES])
            return False
        if not self.begun and data[0] in _LINE_END:  # llhttp skips it
            self.fault = UpstreamProtocolError(_BROKEN)
        self.begun = True
        return self.fault is None

    def _judged(self, waste: int, in_head: bool) -> int:
        """Return how much of what stands around chunks counts; refuse it over the cap."""
        if in_head:
            waste = max(0, waste - self._from - self._head_size())
        # Without a parser the answer ended before the bytes did, and what stands after it is not
        # its own.
        is_whole = self.complete and self._parser is None
        if waste > MAX_CHUNK_WASTE_BYTES and self.fault is None and not is_whole:
            self._refuse(_wasted())
        return waste

    def _note_error(self, data: bytes) -> None:
        # The parser is of no use any more.
        self._parser = None
        if not self.complete and self.fault is None:
            is_other = not self.is_head_done and _is_other_version(self._opening + data)
            self.fault = UpstreamProtocolError(OTHER_VERSION if is_other else _BROKEN)
        if not self._to_head:
            self.reusable = False

    def _frame(self, version: str) -> None:
        """Find out where the body ends. Source: RFC 9112, section 6.3."""
        length = self.first.get(b"content-length")
        if length is not None:
            # llhttp took it for one number.
            self.length = int(length)
        coding = self.first.get(b"transfer-encoding")
        if coding is None:
            return
        times = sum(name == b"transfer-encoding" for name, _ in self.fields)
        if times > 1 or coding.lower() != b"chunked" or version == "1.0" or length is not None:
            self._stop(
                UpstreamProtocolError(
                    "The provider's response says in two ways, or in an unknown one, where its"
                    " body ends."
                )
            )
        self._chunked = True

    def _ends_by_closing(self) -> bool:
        return self.length is None and not self._chunked

    def _skip_interim(self) -> None:
        self._interim += 1
        size = self._head_size()
        if size > MAX_HEAD_BYTES:
            self._stop(_head_too_large())
        if len(self.fields) > MAX_FIELDS:
            self._stop(_too_many())
        if self._interim > MAX_INTERIM_HEADS:
            self._stop(
                UpstreamProtocolError(
                    f"The provider sent more than {MAX_INTERIM_HEADS} interim responses (1xx)."
                )
            )
        self._from += size
        self.fields.clear()

    def _check_head(self, data: bytes) -> None:
        """Hold the head, done or not, to its caps."""
        self._head_bytes += len(data)
        if not self.is_head_done:
            self._opening = (self._opening + data)[:8]
            self._tail = (self._tail + data)[-_TAIL_BYTES:]
            too_large = self._head_bytes - self._from > MAX_HEAD_BYTES
        else:
            too_large = self._head_bytes > MAX_HEAD_BYTES and self._head_size() > MAX_HEAD_BYTES
        if (too_large or len(self.fields) > MAX_FIELDS) and self.fault is None:
            self.is_head_done = False
            self._refuse(_head_too_large() if too_large else _too_many())

    def _head_size(self) -> int:
        return 32 + sum(len(name) + len(value) + 4 for name, value in self.fields)

    def _ends_with(self, data: bytes, got: int) -> bool:
        """Tell whether nothing stands after the complete answer.

        llhttp tells of all that may follow but of bare line ends, which it skips. Where they
        cannot be told from the answer's own, the answer is no.
        """
        if self._to_head:
            return self._head_bytes == len(data) == data.find(b"\r\n\r\n") + 4
        if got and not self._chunked:
            if data[-1] not in _LINE_END:
                return True
            last = self.body[-1]
            text = last.rstrip(_LINE_END)
            return bool(text) and len(last) - len(text) == len(data) - len(data.rstrip(_LINE_END))
        # A head, a last chunk and trailers end with one empty line after one that is not empty.
        tail = self._tail if self._chunked else (self._tail + data)[-_TAIL_BYTES:]
        return len(tail) == _TAIL_BYTES and tail.endswith(b"\r\n\r\n") and tail[0] not in _LINE_END

    def _refuse(self, fault: GatewayError) -> None:
        self.fault = fault
        self.complete = self.reusable = False

    def _stop(self, fault: GatewayError) -> None:
        self.fault = fault
        raise _Stop


def _is_other_version(start: bytes) -> bool:
    """Tell an origin that speaks HTTP/2 only: its SETTINGS frame, or its version in words."""
    return start.startswith((b"\0", b"HTTP/2", b"HTTP/3"))


def _too_many() -> UpstreamTooLarge:
    return UpstreamTooLarge(f"The provider's response has more than {MAX_FIELDS} headers.")


def _wasted() -> UpstreamProtocolError:
    return UpstreamProtocolError(
        "The provider's response has chunk extensions or trailers of more than"
        f" {MAX_CHUNK_WASTE_BYTES} bytes."
    )


def _head_too_large() -> UpstreamTooLarge:
    return UpstreamTooLarge(f"The provider's response head is larger than {MAX_HEAD_BYTES} bytes.")
