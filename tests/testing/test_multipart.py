"""A form is read the same however it is cut."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.testing import multipart
from llmgateway.testing.answers import FakeError
from llmgateway.testing.multipart import FormReader

FILE = b"\r\n--b\r\n--boundar\r\n\r\n--"
FORM = (
    b'--boundary\r\nContent-Disposition: form-data; name="model"\r\n\r\nfake\r\n'
    b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    b"Content-Type: audio/mpeg\r\n\r\n" + FILE + b"\r\n--boundary--\r\nafterwards"
)


@given(st.lists(st.integers(0, len(FORM)), max_size=20))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    reader = FormReader('multipart/form-data; boundary="boundary"')
    places = [0, *sorted(cuts), len(FORM)]
    for begin, end in zip(places, places[1:], strict=False):
        reader.feed(FORM[begin:end])
    reader.close()
    (file,) = reader.files

    assert {"model": "fake"} == reader.fields
    assert ("file", "a.bin", "audio/mpeg") == (file.name, file.filename, file.content_type)
    assert (FILE, len(FILE)) == (bytes(file.kept), file.size)
    assert hashlib.sha256(FILE).hexdigest() == file.sha256


def test_a_file_is_kept_up_to_a_bound_and_read_with_little_memory() -> None:
    reader = FormReader("multipart/form-data; boundary=b")
    reader.feed(b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n')
    piece = b"x" * 65536
    for _ in range(64):
        reader.feed(piece)
        assert len(reader._buffer) < 100
    reader.feed(b"\r\n--b--")
    reader.close()

    assert 64 * 65536 == reader.files[0].size
    assert multipart.KEPT_FILE_BYTES == len(reader.files[0].kept)


def test_a_field_has_a_bound() -> None:
    reader = FormReader("multipart/form-data; boundary=b")
    reader.feed(b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n')

    with pytest.raises(FakeError, match="too long"):
        reader.feed(b"x" * (multipart.MAX_FIELD_BYTES + 100))


def test_parts_have_a_bound() -> None:
    reader = FormReader("multipart/form-data; boundary=b")

    with pytest.raises(FakeError, match="too many"):
        reader.feed(b"--b\r\n\r\n\r\n" * (multipart.MAX_PARTS + 1))
