"""Content codings undone step by step."""

from __future__ import annotations

import gzip
import random
import sys
import tracemalloc
import zlib

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest

from llmgateway.errors import UpstreamProtocolError
from llmgateway.transport.decoding import STEP_BYTES, Decoder, Identity, decoder_for

PLAIN = bytes(random.Random(7).choices(b"abcdefgh \n", k=200_000)) + b"\0" * 300_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def two_members(data: bytes) -> bytes:
    return gzip.compress(data[:1000]) + gzip.compress(data[1000:])


def padded_members(data: bytes) -> bytes:
    return gzip.compress(data[:1000]) + b"\0" * 700 + gzip.compress(data[1000:]) + b"\0" * 512


def decoded(decoder: Decoder, data: bytes, cut: int) -> bytes:
    out = []
    for at in range(0, len(data), cut):
        decoder.feed(data[at : at + cut])
        while piece := decoder.read():
            assert len(piece) <= STEP_BYTES
            out.append(piece)
    decoder.close()
    return b"".join(out)


CODED = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("gzip", two_members),
    ("gzip", padded_members),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("deflate", lambda data: zlib.compress(data) + b"behind the end"),
    ("br", brotli.compress),
    ("BR", lambda data: brotli.compress(data, quality=1)),
]


@pytest.mark.parametrize(("coding", "encode"), CODED)
@pytest.mark.parametrize("cut", [1, 2, 3, 1000, 10**9])
@pytest.mark.parametrize("plain", [b"", b"x", PLAIN[:5000], PLAIN], ids=len)
def test_a_coding_is_undone(coding: str, encode: object, cut: int, plain: bytes) -> None:
    assert callable(encode)
    data = encode(plain)
    if cut < 10 and len(data) > 20_000:
        data = data if cut == 10**9 else encode(plain[:3000])
        plain = plain[:3000]

    assert plain == decoded(decoder_for([coding]), data, cut)


@pytest.mark.parametrize("size", [STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 3 * STEP_BYTES])
@pytest.mark.parametrize(("coding", "encode"), CODED)
def test_a_body_that_fills_its_steps_is_whole(coding: str, encode: object, size: int) -> None:
    assert callable(encode)
    plain = b"a" * size

    assert plain == decoded(decoder_for([coding]), encode(plain), 7)


@pytest.mark.parametrize(
    "codings", [[], [""], ["identity"], ["Identity"], ["", " identity"], ["identity, identity"]]
)
def test_no_coding_passes_as_it_is(codings: list[str]) -> None:
    decoder = decoder_for(codings)

    assert isinstance(decoder, Identity)
    assert b"\x1f\x8b as it is" == decoded(decoder, b"\x1f\x8b as it is", 4)


@pytest.mark.parametrize(
    "codings",
    [
        ["zstd"],
        ["compress"],
        ["gzip, gzip"],
        ["gzip", "deflate"],
        ["br, gzip"],
        ["\xff"],
    ],
)
def test_a_coding_we_do_not_undo_is_a_protocol_error(codings: list[str]) -> None:
    with pytest.raises(UpstreamProtocolError, match="gzip and deflate"):
        decoder_for(codings)


def test_br_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)

    with pytest.raises(UpstreamProtocolError, match=r"llmgateway\[br\]"):
        decoder_for(["br"])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_no_byte_at_all_is_no_error(coding: str) -> None:
    """The answer to a HEAD request names a coding and has no body."""
    decoder = decoder_for([coding])

    assert b"" == decoder.read()
    decoder.close()


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", zlib.compress(PLAIN)),
        ("gzip", gzip.compress(PLAIN)[:-1]),
        ("gzip", gzip.compress(PLAIN)[:100]),
        ("gzip", gzip.compress(PLAIN) + b"\x1f"),
        ("gzip", gzip.compress(PLAIN) + b"garbage"),
        ("gzip", gzip.compress(b"x")[:-8] + b"12345678"),
        ("gzip", b"\x1f"),
        ("deflate", b"\x78"),
        ("deflate", b"\xff\xff\xff"),
        ("deflate", zlib.compress(PLAIN)[:-1]),
        ("deflate", zlib.compress(b"x")[:-4] + b"1234"),
        ("deflate", raw_deflate(PLAIN)[:-10]),
        ("br", b"\xff" * 100),
        ("br", brotli.compress(PLAIN)[:-1]),
        ("br", brotli.compress(PLAIN)[:100]),
        ("br", brotli.compress(PLAIN) + b"behind the end"),
    ],
    ids=[
        *("text", "zlib", "last byte", "cut", "half a member", "garbage", "checksum", "one byte"),
        *("one byte of zlib", "no deflate", "last byte of zlib", "checksum of zlib", "raw, cut"),
        *("no br", "last byte of br", "br, cut", "behind br"),
    ],
)
@pytest.mark.parametrize("cut", [5, 10**9])
def test_a_broken_or_cut_body_is_a_protocol_error(coding: str, data: bytes, cut: int) -> None:
    with pytest.raises(UpstreamProtocolError, match=coding):
        decoded(decoder_for([coding]), data, cut)


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_bomb_unfolds_no_further_than_it_is_read(coding: str) -> None:
    zeros = b"\0" * (64 * 2**20)
    bomb = gzip.compress(zeros) if coding == "gzip" else brotli.compress(zeros, quality=1)
    decoder = decoder_for([coding])
    tracemalloc.start()
    try:
        decoder.feed(bomb)
        for _ in range(100):
            assert STEP_BYTES // 4 <= len(decoder.read()) <= STEP_BYTES
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < len(bomb) * 3 + 2**20
