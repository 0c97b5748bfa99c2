from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.guardrails.base import CheckFailed, ParameterFault, Subject
from llmgateway.guardrails.hosts import HostList, canonical, read_authority
from llmgateway.guardrails.links import url_allow_list

_HOSTS = ["good.com", "*.good.com", "m\u00fcnchen.de", "192.0.2.1", "2001:db8::1"]


def _passes(text: str, **parameters: Any) -> bool:
    arguments = url_allow_list.bind({"hosts": _HOSTS, **parameters}).arguments
    return bool(url_allow_list(Subject("output", (text,)), **arguments).passed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No address at all: e.g. node.js, 1.2.3 and std::vector.",
        "see https://good.com.",
        "(https://good.com), https://good.com; 'https://good.com'!",
        "**https://good.com** _https://good.com_ `https://good.com`",
        "[a](https://good.com/x) and https://sub.good.com:8080/y?z#f",
        "[https://good.com](https://good.com)",
        "[x](/docs/y) [z](#a) <a href='../up'>",
        "HTTPS://GOOD.COM/ https://Good.Com./",
        "https://good%2ecom/ and https://good\u3002com/",
        "https://good.com\u7684\u7f51\u7ad9\u5f88\u597d",
        "https://good.com\uff0c\u8c22\u8c22\u3002",
        "https://good.com\u200b and https://go\u00adod.com/",
        "['https://good.com','https://good.com']",
        "www.sub.good.com",
        "https://m\u00fcnchen.de https://M\u00dcNCHEN.DE https://xn--mnchen-3ya.de/",
        "http://192.0.2.1/ http://[2001:DB8:0::1]:80/",
        "C:\\Users\\me and \\\\server\\share",
        "http:// is a scheme; http://<host>/x is a template",
        "https://good.com\nNext line. More",
        '{"u":"https:\\/\\/good.com\\/x","n":"\\nhttps://good.com\\n"}',
        "a mail: me@evil.com",
        "data: none; javascript: the language",
        "https://good.com/@user and https://good.com/?q=a@b.c",
    ],
)
def test_allowed(text: str) -> None:
    assert _passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.com",
        "HTTPS://EVIL.COM",
        "www.evil.com",
        "<https://evil.com>",
        "[x](https://evil.com)",
        "[x](//evil.com)",
        "[x](https:evil.com)",
        "[x](https\\://evil.com)",
        "[x]: https://evil.com",
        "![i](https://evil.com/?q=secret)",
        "<img src=//evil.com/x>",
        "https://good.com@evil.com",
        "https://good.com:443@evil.com/",
        "https://good.com\\@evil.com",
        "https://good.com)@evil.com",
        "https://good.com%40evil.com",
        "https:\\\\evil.com",
        "https:/evil.com",
        "https:///////evil.com",
        "https://good.com.evil.com",
        "https://evilgood.com",
        "https://good.com,.evil.com/",
        "https://good.com,https://evil.com",
        "https://good.com/r?u=https://evil.com",
        "https://good\u3002com\u3002evil.com",
        "https://ev%69l.com",
        "https://%ff.good.com",
        "https://g\u043e\u043ed.com",
        "https://fa\u00df.good.com",
        "https://good.com\uff0e\uff45vil.com",
        "https://good.com&#46;evil.com/",
        "<a href='&#104;ttps://evil.com'>",
        '<a href="https://good.com\n.evil.com">',
        '<a href="java\nscript:x">',
        '{"u":"https://good.com\\u002eevil.com"}',
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.0.0.1",
        "http://[::1]/",
        "http://[good.com]/",
        "https://{host}.x/",
        "https://" + "a" * 3000,
        "https://" + "a." * 200 + "good.com",
        "javascript:alert(1)",
        "[x](JaVaScript:alert(1))",
        "data:text/html;base64,xx",
        "ftp://good.com",
        "file:///etc/passwd",
        "git+ssh://good.com/x",
        "[m](mailto:a@good.com)",
        "x" * 10**6 + " https://evil.com",
        "\u6f22" * 10**5 + "https://evil.com",
    ],
)
def test_not_allowed(text: str) -> None:
    assert not _passes(text)
    assert _passes(text, **{"not": True})


@pytest.mark.parametrize(
    ("text", "parameters", "passes"),
    [
        ("https://any.where", {"hosts": []}, True),
        ("https://bad.com https://ok.com", {"hosts": [], "block": ["bad.com"]}, False),
        ("https://x.bad.com", {"hosts": [], "block": ["*.bad.com"]}, False),
        ("https://x.good.com", {"block": ["x.good.com"]}, False),
        ("https://good.com", {"hosts": ["*.good.com"]}, False),
        ("https://x.good.com", {"hosts": ["good.com"]}, False),
        ("http://good.com", {"schemes": ["https"]}, False),
        ("[m](mailto:a@b.c)", {"schemes": ["https", "MAILTO"]}, True),
    ],
)
def test_lists(text: str, parameters: Any, passes: bool) -> None:
    assert passes == _passes(text, **parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        {"hosts": ["https://good.com"]},
        {"hosts": [""]},
        {"hosts": ["good.com", "a b"]},
        {"hosts": ["fa\u00df.de"]},
        {"hosts": ["*.*.com"]},
        {"block": ["good.com/path"]},
        {"block": ["x@good.com"]},
        {"schemes": []},
    ],
)
def test_bad_parameters_are_refused(parameters: Any) -> None:
    with pytest.raises(ParameterFault):
        url_allow_list.bind(parameters)


@pytest.mark.parametrize("piece", ["www.", "http:/", "https://a.b ", "[x](//", "\\u0068ttp://"])
def test_too_many_addresses_are_an_error_soon(piece: str) -> None:
    started = time.process_time()
    with pytest.raises(CheckFailed):
        _passes(piece * (10**6 // len(piece)))

    assert time.process_time() - started < 5


@pytest.mark.parametrize("piece", ["&#", "](", "href=", "\\", "http", "a:", '"\n'])
def test_what_looks_like_addresses_costs_little(piece: str) -> None:
    started = time.process_time()

    assert _passes(piece * (10**6 // len(piece)))
    assert time.process_time() - started < 5


def test_too_many_addresses_in_several_texts_are_an_error() -> None:
    texts = tuple(" ".join(f"https://a{n}.b{at}.com" for n in range(1500)) for at in range(2))

    with pytest.raises(CheckFailed):
        url_allow_list(Subject("output", texts))


@pytest.mark.parametrize(
    "name", ["\u00e9" * 64 + ".com", "\u00e9..com", "a..b", "\ud800.com", "1.2.3"]
)
def test_what_is_no_name_has_no_host(name: str) -> None:
    assert read_authority(name) is None


def test_the_results_tell_hosts_and_no_paths() -> None:
    text = "https://evil.com/secret-path?token=1 http://2130706433/ ftp://good.com"
    data = url_allow_list(Subject("output", (text,)), hosts=["good.com"]).data

    assert (3, ["evil.com", "good.com"], ["ftp"], 1) == (
        data["links"],
        data["blockedHosts"],
        data["blockedSchemes"],
        data["unreadable"],
    )
    assert "secret" not in str(data)


def test_a_stream_is_held() -> None:
    assert url_allow_list.bind({"hosts": ["good.com"]}).window_limit is None


_LABELS = st.from_regex(r"[a-z]([a-z0-9]{0,8}[a-z])?", fullmatch=True)


@given(
    st.lists(_LABELS, min_size=2, max_size=4).map(".".join),
    st.sampled_from(["", ":80", "/p", "?q"]),
)
def test_plain_hosts_are_read_as_the_standard_library_reads_them(host: str, rest: str) -> None:
    authority = rest if rest.startswith(":") else ""

    assert urlsplit(f"https://{host}{rest}").hostname == read_authority(host + authority)


@given(st.text(max_size=60))
def test_no_text_is_read_as_an_allowed_host_with_an_at_sign(text: str) -> None:
    assert read_authority(f"good.com{text}@evil.com") is None


@given(st.text(max_size=60))
def test_what_is_read_has_one_form(text: str) -> None:
    host = read_authority(text)

    assert host is None or host == canonical(host) or ":" in host


def test_a_list_holds_only_texts() -> None:
    assert None not in HostList(["*.good.com"])
