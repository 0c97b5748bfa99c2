"""What goes out on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llmgateway.errors import AddressRefused, InvalidRequest
from llmgateway.transport.message import Body, compose
from llmgateway.types.http import RawHeaders
from tests.transport.provider import ask

URL = "https://api.example.com/v1/chat?x=1"


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def fields(headers: RawHeaders, method: str = "POST", body: bytes = b"{}") -> dict[bytes, bytes]:
    return dict(compose(ask(URL, method, headers, body)).headers)


def test_headers_go_out_as_given_between_ours() -> None:
    message = compose(
        ask(URL, headers=((b"X-B", b"2"), (b"x-a", b"1"), (b"X-B", b" 3\t")), body=b"{}")
    )

    assert [
        (b"Host", b"api.example.com"),
        (b"X-B", b"2"),
        (b"x-a", b"1"),
        (b"X-B", b"3"),
        (b"Accept-Encoding", b"identity"),
        (b"Content-Length", b"2"),
    ] == message.headers
    assert (b"POST", b"/v1/chat?x=1", b"{}") == (message.method, message.target, message.body)


@pytest.mark.parametrize(
    "name",
    """Host HOST Accept-Encoding Connection Content-Length Expect Keep-Alive Proxy-Connection TE
    Trailer Transfer-Encoding Upgrade""".split(),
)
def test_framing_is_ours(name: str) -> None:
    """A caller's word on it cannot make one request into two."""
    composed = compose(ask(URL, headers=((name.encode(), b"7"),), body=b"{}")).headers

    assert compose(ask(URL, body=b"{}")).headers == composed


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://api.example.com", b"api.example.com"),
        ("http://api.example.com:80/", b"api.example.com"),
        ("http://api.example.com:443/", b"api.example.com:443"),
        ("https://API.example.com:8443/", b"api.example.com:8443"),
        ("http://[::1]:9/", b"[::1]:9"),
    ],
)
def test_the_host_is_the_one_that_is_connected_to(url: str, host: bytes) -> None:
    assert host == dict(compose(ask(url)).headers)[b"Host"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_no_body_is_not_announced_where_none_is_usual(method: str) -> None:
    assert b"Content-Length" not in fields((), method, b"")
    assert b"2" == fields((), method)[b"Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_empty_body_is_announced_elsewhere(method: str) -> None:
    assert b"0" == fields((), method, b"")[b"Content-Length"]


async def test_an_iterator_goes_out_in_chunks() -> None:
    message = compose(ask(URL, body=pieces(b"ab", b"", b"c")))

    assert (b"Transfer-Encoding", b"chunked") == message.headers[-1]
    assert isinstance(message.body, Body)
    assert [b"ab", b"", b"c"] == [chunk async for chunk in message.body]


async def test_an_iterator_of_known_length_goes_out_with_it() -> None:
    message = compose(ask(URL, headers=((b"content-length", b" 3 "),), body=pieces(b"ab", b"c")))

    assert (b"Content-Length", b"3") == message.headers[-1]
    assert isinstance(message.body, Body)
    assert [b"ab", b"c"] == [chunk async for chunk in message.body]


@pytest.mark.parametrize(
    ("length", "words"), [(b"2", "longer"), (b"4", "shorter"), (b"0", "longer")]
)
async def test_an_iterator_of_another_length_is_an_error(length: bytes, words: str) -> None:
    message = compose(ask(URL, headers=((b"Content-Length", length),), body=pieces(b"ab", b"c")))

    assert isinstance(message.body, Body)
    with pytest.raises(InvalidRequest, match=words):
        [chunk async for chunk in message.body]


@pytest.mark.parametrize("values", [(b"x",), (b"",), (b"-1",), (b"+1",), (b"1,1",), (b"1", b"2")])
async def test_a_length_that_is_no_number_is_an_error(values: tuple[bytes, ...]) -> None:
    headers = tuple((b"Content-Length", value) for value in values)

    with pytest.raises(InvalidRequest, match="Content-Length"):
        compose(ask(URL, headers=headers, body=pieces()))


@pytest.mark.parametrize(
    "value",
    [b"a\r\nX: 1", b"a\nX: 1", b"a\rb", b"a\0b", b"a\x0bb", b"\x7f", b"sk-key\n", b"\x1b[0m"],
)
def test_a_value_that_no_header_can_hold_is_an_error(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Authorization") as caught:
        compose(ask(URL, headers=((b"Authorization", value),)))

    assert "sk-key" not in caught.value.message


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\nb", b"\xff", b"a\0", b"(a)"])
def test_a_name_that_no_header_can_have_is_an_error(name: bytes) -> None:
    with pytest.raises(InvalidRequest, match="header name"):
        compose(ask(URL, headers=((name, b"1"),)))


def test_tabs_and_latin_bytes_pass() -> None:
    assert b"a\tb \xe9\xff" == fields(((b"X-A", b"a\tb \xe9\xff"),))[b"X-A"]


@pytest.mark.parametrize(
    "method", ["", "get", "GET ", "G\r\nET", "CONNECT", "GET / HTTP/1.1", "É", "A" * 33]
)
def test_a_method_that_cannot_be_sent_is_an_error(method: str) -> None:
    with pytest.raises(InvalidRequest, match="method"):
        compose(ask(URL, method))


def test_a_place_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(AddressRefused):
        compose(ask("ftp://api.example.com/"))
