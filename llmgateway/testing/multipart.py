"""Reads an uploaded form piece by piece; of a file it keeps the beginning and counts the rest.

Source: RFC 7578, and RFC 2046 section 5.1 for the boundaries.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from llmgateway.testing.answers import FakeError

MAX_FIELD_BYTES = 2**20
"""A field that is no file may be this long."""
KEPT_FILE_BYTES = 2**20
"""So much of a file is kept."""
MAX_HEAD_BYTES = 16 * 2**10
MAX_PARTS = 1000

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_PARAMETER = re.compile(rb';\s*(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:\s*(.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Upload:
    """One part of a form."""

    name: str
    filename: str | None
    content_type: str | None
    size: int = 0
    kept: bytearray = field(default_factory=bytearray)
    """The whole, or the first `KEPT_FILE_BYTES` of a file."""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """The digest of the whole part, in hex."""
        return self._digest.hexdigest()

    def add(self, data: bytes) -> None:
        """Take the next piece."""
        self.size += len(data)
        self._digest.update(data)
        if self.filename is None and self.size > MAX_FIELD_BYTES:
            raise FakeError(413, f"The field {self.name!r} is too long.", param=self.name)
        self.kept += data[: max(0, KEPT_FILE_BYTES - len(self.kept))]


class FormReader:
    """Feed it the body of a form; then `fields` and `files` hold what it had."""

    def __init__(self, content_type: str) -> None:
        match = _BOUNDARY.search(content_type)
        if match is None:
            raise FakeError(400, "A multipart body needs a boundary in its content type.")
        self._mark = b"\r\n--" + (match[1] or match[2]).encode("latin-1")
        # The first boundary begins the body, without the line break that others follow.
        self._buffer = bytearray(b"\r\n")
        self._part: Upload | None = None
        self._ended = False
        self._parts: list[Upload] = []

    @property
    def fields(self) -> dict[str, str]:
        """The parts that are no files, by name."""
        return {
            part.name: part.kept.decode("utf-8", "replace")
            for part in self._parts
            if part.filename is None
        }

    @property
    def files(self) -> list[Upload]:
        """The files, in order."""
        return [part for part in self._parts if part.filename is not None]

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body; raises `FakeError` for what is no form."""
        self._buffer += data
        while not self._ended and self._step():
            pass
        if self._ended:
            self._buffer.clear()  # what follows the last boundary is no part of the form

    def close(self) -> None:
        """Say that the body has ended; raises `FakeError` if the form has not."""
        if not self._ended:
            raise FakeError(400, "The form breaks off before its last boundary.")

    def _step(self) -> bool:
        """Do what the buffer allows; return False when it takes more data to go on."""
        found = self._buffer.find(self._mark)
        if found < 0:
            # The last bytes may be the beginning of a boundary.
            self._give(max(0, len(self._buffer) - len(self._mark) + 1))
            return False
        self._give(found)
        return self._open_part()

    def _give(self, length: int) -> None:
        if self._part is not None:
            self._part.add(bytes(self._buffer[:length]))
        del self._buffer[:length]

    def _open_part(self) -> bool:
        """Read past a boundary and the head behind it; the buffer begins with the boundary."""
        after = bytes(self._buffer[len(self._mark) : len(self._mark) + 2])
        if after == b"--":
            self._ended = True
            return False
        head_end = self._buffer.find(b"\r\n\r\n", len(self._mark))
        if head_end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise FakeError(400, "The head of a form's part is too long.")
            return False
        self._part = _opened(bytes(self._buffer[len(self._mark) : head_end]))
        self._parts.append(self._part)
        if len(self._parts) > MAX_PARTS:
            raise FakeError(400, "The form has too many parts.")
        del self._buffer[: head_end + 4]
        return True


def _opened(head: bytes) -> Upload:
    named = {key.lower(): value for key, value in _PARAMETER.findall(head)}
    type_ = _TYPE.search(head.replace(b"\r\n", b"\n"))
    filename = named.get(b"filename")
    return Upload(
        name=named.get(b"name", b"").decode("utf-8", "replace"),
        filename=None if filename is None else filename.decode("utf-8", "replace"),
        content_type=None if type_ is None else type_[1].decode("latin-1").strip(),
    )
