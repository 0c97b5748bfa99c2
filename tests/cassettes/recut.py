"""A provider that sends recordings cut at random places, of the body and of the connection's bytes.

Written against sockets, since no HTTP server can be made to cut a head or a chunk's length in two.
"""

from __future__ import annotations

import random
import socket
from http import HTTPStatus
from http.client import parse_headers
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

CASE, SEED = "x-replay-case", "x-recut-seed"
"""Request headers: what to send, and by which draw to cut it."""

_NOT_REPLAYED = {"transfer-encoding", "content-length", "content-encoding", "connection"}
_MAX_CUTS = 200


class RecutServer(ThreadingTCPServer):
    """Serves a corpus of the replay tool; a request names its case and a seed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, corpus: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.corpus = corpus
        self.port = int(self.server_address[1])


class _Handler(StreamRequestHandler):
    server: RecutServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while self.rfile.readline():
            head = parse_headers(self.rfile)
            self._read_body(head)
            draw = random.Random(head[SEED])
            case = self.server.corpus.named(head[CASE])
            answer, stays_open = compose(case, draw)
            for piece in cut(answer, draw):
                self.request.sendall(piece)
            if not stays_open:
                self.request.shutdown(socket.SHUT_WR)
                return

    def _read_body(self, head: Any) -> None:
        if head["transfer-encoding"] is None:
            self.rfile.read(int(head["content-length"] or 0))
            return
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + 2)
        self.rfile.readline()


def compose(case: Any, draw: random.Random) -> tuple[bytes, bool]:
    """Return an answer, framed in one of HTTP's three ways, and whether another may follow."""
    status, body = case.response["status"], case.payload()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [
        f"{name}: {value}"
        for name, value in case.response["headers"].items()
        if name not in _NOT_REPLAYED
    ]
    framing = draw.choice(["chunked", "length", "close"])
    if framing == "chunked":
        lines.append("transfer-encoding: chunked")
        pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cut(body, draw)]
        body = b"".join(pieces) + b"0\r\n\r\n"
    else:
        lines.append(f"content-length: {len(body)}" if framing == "length" else "connection: close")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + body, framing != "close"


def cut(data: bytes, draw: random.Random) -> list[bytes]:
    """Return `data` in pieces, none of them empty, cut at random places."""
    number = draw.randint(0, min(len(data), _MAX_CUTS))
    places = sorted(draw.sample(range(1, len(data)), min(number, max(len(data) - 1, 0))))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if b > a]
