"""Taking an upstream's URL apart."""

from __future__ import annotations

import pytest

from llmgateway.errors import AddressRefused, InvalidRequest
from llmgateway.transport.url import Origin, canonical_host, split_url


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://api.example.com", ("https", "api.example.com", 443), "/"),
        ("HTTPS://API.Example.com/v1", ("https", "api.example.com", 443), "/v1"),
        ("http://host:8080/a?b=c&d=%20", ("http", "host", 8080), "/a?b=c&d=%20"),
        ("http://host?q=1", ("http", "host", 80), "/?q=1"),
        ("http://host/a@b:c", ("http", "host", 80), "/a@b:c"),
        ("http://host//a/../b", ("http", "host", 80), "//a/../b"),
        ("http://10.0.0.5:11434/", ("http", "10.0.0.5", 11434), "/"),
        ("http://[::1]:80/x", ("http", "::1", 80), "/x"),
        ("http://[0:0:0:0:0:0:0:1]/", ("http", "::1", 80), "/"),
        ("http://[2001:DB8::A]/", ("http", "2001:db8::a", 80), "/"),
        ("http://my_service:1/", ("http", "my_service", 1), "/"),
        ("http://xn--bcher-kva.example/", ("http", "xn--bcher-kva.example", 80), "/"),
    ],
)
def test_a_url_is_split(url: str, origin: tuple[str, str, int], target: str) -> None:
    assert (Origin(*origin), target) == split_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "//host/",
        "http:/host",
        "http://",
        "http:///path",
        "ftp://host/",
        "file:///etc/passwd",
        "gopher://host/",
        "ws://host/",
        "javascript://host/",
        "http://user@host/",
        "http://user:pass@host/",
        "http://public.example@127.0.0.1/",
        "http://host:/",
        "http://host:0/",
        "http://host:65536/",
        "http://host:999999/",
        "http://host:-1/",
        "http://host:8a/",
        "http://host:80:80/",
        "http://host./",
        "http://.host/",
        "http://a..b/",
        "http://-host/",
        "http://host-/",
        "http://ho%73t/",
        "http://%31%32%37.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0x/",
        "http://127.0.0.0x1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://127.0.0.1./",
        "http://256.0.0.1/",
        "http://1.2.3.4.5/",
        "http://example.1/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]x/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
        "http://[127.0.0.1]/",
        "http://[host]/",
        "http://[v1.x]/",
        "http://[]/",
        "http://ho*st/",
        "http://ho;st/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "aa/",
    ],
)
def test_a_place_that_cannot_be_read_in_one_way_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        split_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://host/a b",
        "http://host/a\r\nX-Injected: 1",
        "http://host/a\nb",
        "http://host/\x00",
        "http://host/\x7f",
        "http://host\t/",
        " http://host/",
        "http://ho\u2024st/",
        "http://bücher.example/",
        "http://①②⑦.⓪.⓪.①/",
        "http://host/ü",
        "http://good.example\\@127.0.0.1/",
        "http://host/#fragment",
        "http://host#@other/",
        "http://host/a?b#",
    ],
)
def test_a_url_that_cannot_be_sent_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        split_url(url)


def test_a_refusal_shows_neither_path_nor_query() -> None:
    for url in ("http://ho;st/secret?key=secret", "http://u:secret@h/", "http://h/?secret=\n"):
        with pytest.raises((AddressRefused, InvalidRequest)) as caught:
            split_url(url)

        assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (("https", "a.example", 443), "https://a.example"),
        (("https", "a.example", 80), "https://a.example:80"),
        (("http", "::1", 80), "http://[::1]"),
        (("http", "::1", 8000), "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_a_host_header_has_it(
    origin: tuple[str, str, int], text: str
) -> None:
    assert text == str(Origin(*origin))


def test_a_zone_is_no_part_of_an_address() -> None:
    with pytest.raises(ValueError, match="zone"):
        canonical_host("fe80::1%1")
