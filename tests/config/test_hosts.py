"""The form of custom hosts, for the header and the config alike."""

from __future__ import annotations

import pytest

from llmgateway.config.hosts import check_custom_host
from llmgateway.errors import InvalidRequest


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com/",
        "HTTPS://API.Example.com/v1",
        "http://localhost:11434/v1",
        "http://127.0.0.1:8000",
        "https://example.com:65535",
        "http://[::1]:8080/v1",
        "https://[2001:db8::1]",
        "https://[::ffff:192.0.2.1]/",
        "https://example.com/@me/v1",
        "https://example.com/a%20b/(c)/d;e=f,g:h!$&'*+~._-",
        "https://a.b.c.d.e.f.g.h.i.j",
        f"https://{'a' * 63}.com",
        "https://example.com/" + "a" * 2028,
    ],
)
def test_a_good_host_is_taken_as_it_is(url: str) -> None:
    assert url == check_custom_host(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "data:text/plain,x",
        "gopher://example.com",
        "wss://example.com",
        "https:/example.com",
        "https://",
        "https:///v1",
        "https://user@example.com",
        "https://user:pw@example.com/v1",
        "https://exa%6dple.com",
        "https://example.com%2f.evil.com",
        "https://exa mple.com",
        " https://example.com",
        "https://example.com ",
        "https://example.com\n",
        "https://example.com/a\tb",
        "https://example.com/\r\nHost: evil",
        "https://example.com/\0",
        "https://example.com/\x7f",
        "https://example.com/a b",
        "https://example.com/<a>",
        "https://example.com/{a}",
        "https://example.com/a|b",
        "https://example.com\\@evil.com",
        "https://example.com/a\\b",
        "https://example.com/^",
        "https://example.com/`",
        'https://example.com/"',
        "https://example.com?key=1",
        "https://example.com/v1?key=1",
        "https://example.com/v1#top",
        "https://example.com.",
        "https://example..com",
        "https://.example.com",
        "https://a.b.c.d.e.f.g.h.i.j.k",
        f"https://{'a' * 64}.com",
        "https://exämple.com",
        "https://example.com/ä",
        "https://\u212aelvin.com",
        "https://my_host",
        "https://example.com:",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:99999999999",
        "https://example.com:-1",
        "https://example.com:80a",
        "https://example.com:\u0661",
        "http://::1",
        "http://[::1",
        "http://[]",
        "http://[::1%25eth0]",
        "http://[1.2.3.4]",
        "http://[1:2:3]",
        "http://[::1]a",
        "https://example.com/" + "a" * 2029,
    ],
)
def test_a_bad_host_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^Invalid custom host$") as caught:
        check_custom_host(url)

    assert "custom_host" == caught.value.param
