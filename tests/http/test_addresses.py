"""Where a request comes from: nobody can make it seem another place."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from llmgateway import Settings
from llmgateway.http.addresses import client_address, is_within
from llmgateway.settings import parse_network
from llmgateway.types.http import Headers, HTTPRequest

TRUSTED = Settings.model_validate(
    {"trusted_proxies": ["10.0.0.0/8", "::ffff:192.168.0.0/112", "2001:db8:aa::/48", "fe80::/10"]}
).trusted_proxies
PROXY = "10.0.0.1"
ATTACKER = "198.51.100.66"
"""What the proxy adds at the right, whatever the attacker has sent."""
VICTIM = "203.0.113.9"
"""Whom the attacker would like to be."""


def asked(client: str | None, *fields: tuple[str, str]) -> HTTPRequest:
    """Return a request of a peer, with header fields."""
    headers = Headers([(name.encode("latin-1"), text.encode("latin-1")) for name, text in fields])
    return HTTPRequest("GET", "/v1/models", "", headers, b"", client)


def told(client: str | None, *fields: tuple[str, str]) -> str | None:
    """Return the client's address as text."""
    address = client_address(asked(client, *fields), TRUSTED)
    return None if address is None else str(address)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (VICTIM, VICTIM),
        (f"::ffff:{VICTIM}", VICTIM),
        ("::ffff:cb00:7109", VICTIM),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        (f"{VICTIM}:4711", VICTIM),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        (None, None),
        ("", None),
        ("testclient", None),
        ("unix:/run/llm.sock", None),
        ("localhost", None),
        (f"[{VICTIM}]", None),
        ("203.0.113.009", None),
        ("3405803785", None),
        ("0xcb.0.113.9", None),
    ],
)
def test_the_peer_is_the_client_where_no_proxy_is_trusted(
    peer: str | None, expected: str | None
) -> None:
    found = client_address(asked(peer, ("x-forwarded-for", ATTACKER)), ())

    assert expected == (None if found is None else str(found))


@pytest.mark.parametrize(
    "fields",
    [
        [("X-Forwarded-For", f"{VICTIM}, {PROXY}")],
        [("Forwarded", f"for={VICTIM}")],
        [("Forwarded", f"for={VICTIM}"), ("X-Forwarded-For", VICTIM)],
        [("X-Real-IP", VICTIM), ("True-Client-IP", VICTIM), ("CF-Connecting-IP", VICTIM)],
    ],
)
@pytest.mark.parametrize("peer", [ATTACKER, f"::ffff:{ATTACKER}", f"{ATTACKER}:443"])
def test_a_stranger_is_itself_whatever_it_says(peer: str, fields: list[tuple[str, str]]) -> None:
    assert told(peer, *fields) == ATTACKER


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (("x-forwarded-for", VICTIM), VICTIM),
        (("x-forwarded-for", f"::ffff:{VICTIM}"), VICTIM),
        (("x-forwarded-for", f"[::ffff:{VICTIM}]:4711"), VICTIM),
        (("x-forwarded-for", f"{VICTIM}:4711"), VICTIM),
        (("x-forwarded-for", "2001:db8::7"), "2001:db8::7"),
        (("x-forwarded-for", "[2001:db8::7]"), "2001:db8::7"),
        (("x-forwarded-for", "[2001:db8::7]:4711"), "2001:db8::7"),
        (("x-forwarded-for", f"{VICTIM}, 10.0.0.9"), VICTIM),
        (("x-forwarded-for", f"{VICTIM},\t::ffff:10.0.0.9 , fe80::1%eth0"), VICTIM),
        (("x-forwarded-for", f"{VICTIM}, 192.168.3.4, 2001:db8:aa::1"), VICTIM),
        (("x-forwarded-for", "10.0.0.7, 10.0.0.9"), "10.0.0.7"),
        (("x-forwarded-for", "junk, 10.0.0.9"), None),
        (("forwarded", f"for={VICTIM}"), VICTIM),
        (("forwarded", f"For={VICTIM};proto=https;by=10.0.0.1"), VICTIM),
        (("forwarded", f'proto=https ; FOR = "{VICTIM}"'), None),
        (("forwarded", f'proto=https ; FOR="{VICTIM}"'), VICTIM),
        (("forwarded", f'for="{VICTIM}:4711"'), VICTIM),
        (("forwarded", f'for="{VICTIM}:_port"'), VICTIM),
        (("forwarded", f"for={VICTIM}:4711"), VICTIM),
        (("forwarded", 'for="[2001:db8::7]:4711"'), "2001:db8::7"),
        (("forwarded", "for=[2001:db8::7]"), "2001:db8::7"),
        (("forwarded", f'for={VICTIM};host="a,b;c", for=10.0.0.9;;proto=http'), VICTIM),
        (("forwarded", "for=10.0.0.7, for=10.0.0.9"), "10.0.0.7"),
        (("accept", "*/*"), PROXY),
    ],
)
def test_a_trusted_proxy_is_believed(field: tuple[str, str], expected: str | None) -> None:
    assert told(PROXY, field) == expected


FORGED = [
    VICTIM,
    f"{VICTIM}, {VICTIM}",
    f"{VICTIM}, 10.0.0.9",
    f"{VICTIM}, {PROXY}, 10.0.0.9",
    "10.0.0.7",
    "127.0.0.1",
    f"::ffff:{VICTIM}",
    f"[::ffff:{VICTIM}]:1",
    "2001:db8:aa::1",
    f"{VICTIM}:80",
    f"{VICTIM};",
    f"{VICTIM} ",
    f"{VICTIM}%eth0",
    f"fe80::1%{VICTIM}",
    f"{VICTIM}\x00",
    f"{VICTIM}\x0b",
    f"{VICTIM}\xa0",
    f"for={VICTIM}",
    f'"{VICTIM}',
    f"{VICTIM}\\",
    "unknown",
    "_hidden",
    "junk",
    "",
    ",",
    ",,,",
    " , ,",
    '"',
    "\\",
    "[",
    "[::1",
    "::1]",
    "[]",
    ":",
    "%",
    "0",
    "3405803785",
    "0xcb007109",
    "0313.0.0161.011",
    "203.0.113.009",
    "203.0.113",
    "203.0.113.9.1",
    "203.0.113.9/24",
    "\xb2\xb2\xb2.0.0.1",
    "::ffff:0:203.0.113.9",
    "64:ff9b::203.0.113.9",
    "::203.0.113.9",
    "2002:cb00:7109::1",
    "10.0.0.1, " * 50,
    "9" * 5000,
    ":" * 5000,
    "[" * 5000,
]


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
@pytest.mark.parametrize("is_one_line", [True, False], ids=["longer", "beside"])
def test_what_stands_left_of_the_proxys_word_counts_for_nothing(
    forged: str, is_one_line: bool
) -> None:
    name = "x-forwarded-for"
    fields = (
        [(name, f"{forged}, {ATTACKER}")] if is_one_line else [(name, forged), (name, ATTACKER)]
    )

    assert told(PROXY, *fields) == ATTACKER
    assert told(PROXY, (name, forged), (name, f"{ATTACKER}, 10.0.0.9")) == ATTACKER
    assert told(PROXY, (name, f"{forged}, [::ffff:{ATTACKER}]:9")) == ATTACKER


FORGED_FORWARDED = [
    f"for={VICTIM}",
    f"for={VICTIM}, for=10.0.0.9",
    "for=10.0.0.9",
    f'for="{VICTIM}"',
    f'for="{VICTIM}',
    'for="',
    'for="\\',
    f'for={VICTIM};for="',
    f'for={VICTIM}, for="',
    f"for={VICTIM};by=",
    f"for={VICTIM};",
    f"for={VICTIM};for=10.0.0.9",
    f"for={VICTIM}, by=10.0.0.9;host=",
    f"for={VICTIM}, x",
    f"for={VICTIM}, x=",
    f"for={VICTIM}, =",
    f"for={VICTIM} proto=http",
    f'for={VICTIM};x="',
    f'for={VICTIM};x="\\"',
    'x="a", y="',
    "for=unknown",
    "for=_hidden",
    "for=\xa0",
    "",
    ",",
    ";",
    "=",
    '"',
    "\x00",
    " " * 5000,
    "a" * 5000,
    "a=b;" * 1000,
]
PROXYS_WORDS = [
    f"for={ATTACKER}",
    f'for="{ATTACKER}:4711";proto=https',
    f'by="[2001:db8:aa::1]";for="{ATTACKER}";host="api.example"',
    f"proto=http;for={ATTACKER}, for=10.0.0.9",
]


@pytest.mark.parametrize("forged", FORGED_FORWARDED, ids=range(len(FORGED_FORWARDED)))
@pytest.mark.parametrize("word", PROXYS_WORDS, ids=range(len(PROXYS_WORDS)))
@pytest.mark.parametrize("is_one_line", [True, False], ids=["longer", "beside"])
def test_a_forged_forwarded_is_found_out_or_makes_the_client_unknown(
    forged: str, word: str, is_one_line: bool
) -> None:
    fields = (
        [("forwarded", f"{forged}, {word}")]
        if is_one_line
        else [("forwarded", forged), ("forwarded", word)]
    )

    assert told(PROXY, *fields) in (ATTACKER, None)


@pytest.mark.parametrize("forged", [*FORGED_FORWARDED, *FORGED])
def test_the_field_that_the_proxy_does_not_write_gains_nothing(forged: str) -> None:
    honest, other = ("x-forwarded-for", ATTACKER), ("forwarded", f"for={ATTACKER}")

    assert told(PROXY, honest, ("forwarded", forged)) is None
    assert told(PROXY, ("x-forwarded-for", forged), other) is None


def test_two_fields_that_agree_are_believed() -> None:
    fields = [("x-forwarded-for", f"10.2.2.2, {VICTIM}, 10.0.0.9"), ("forwarded", f"for={VICTIM}")]

    assert told(PROXY, *fields) == VICTIM


@pytest.mark.parametrize(
    ("hop", "field"),
    [
        ("unknown", "for=unknown"),
        ("_hidden", 'for="_hidden"'),
        ("", "proto=https"),
        (f"{VICTIM}:999999", f'for="{VICTIM}:999999"'),
        (f"[{VICTIM}]", f'for="[{VICTIM}]"'),
        (f"{VICTIM}:", f'for="{VICTIM}:"'),
    ],
)
def test_a_hop_that_is_no_address_is_nobody(hop: str, field: str) -> None:
    assert told(PROXY, ("x-forwarded-for", f"{VICTIM}, {hop}")) is None
    assert told(PROXY, ("forwarded", f"for={VICTIM}, {field}")) is None


@pytest.mark.parametrize("peer", [None, "", "localhost"])
def test_a_proxy_at_a_unix_socket_is_believed_where_it_is_trusted(peer: str | None) -> None:
    request = asked(peer, ("X-Forwarded-For", f"{VICTIM}, {ATTACKER}, 10.0.0.1"))

    assert ip_address(ATTACKER) == client_address(request, (*TRUSTED, "unix"))
    assert client_address(request, TRUSTED) is None
    assert client_address(asked(peer), (*TRUSTED, "unix")) is None


@pytest.mark.parametrize("peer", [ATTACKER, "testclient", "unix", "nowhere"])
def test_who_is_at_no_unix_socket_is_not_believed_for_it(peer: str) -> None:
    request = asked(peer, ("X-Forwarded-For", VICTIM))

    assert client_address(request, ("unix",)) == (ip_address(peer) if peer == ATTACKER else None)


def test_a_proxy_that_was_called_by_a_unix_socket_hides_its_caller() -> None:
    request = asked("10.0.0.1", ("X-Forwarded-For", f"{VICTIM}, unix:"))

    assert client_address(request, (*TRUSTED, "unix")) is None


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("10.1.2.3", ["::ffff:10.0.0.0/104"], True),
        ("10.1.2.3", ["10.1.2.3"], True),
        ("10.1.2.3", ["::/1", "2001:db8::/32"], False),
        ("2001:db8::1", ["10.0.0.0/8", "2001:db8::/32"], True),
        ("::a01:203", ["10.0.0.0/8"], False),
        ("10.1.2.3", [], False),
    ],
)
def test_networks_hold_addresses_of_their_own_kind(
    address: str, networks: list[str], expected: bool
) -> None:
    assert is_within(ip_address(address), [parse_network(n) for n in networks]) is expected


def test_what_is_not_known_is_within_nothing() -> None:
    assert not is_within(None, [parse_network("0.0.0.0/0"), parse_network("::/0")])


@pytest.mark.parametrize(
    "entry", ["10.0.0.1/8", "10.0.0.0/33", "nginx", "", "0.0.0.0/0", "::/0", "::ffff:0:0/96", 5]
)
def test_an_entry_that_is_no_network_or_every_one_is_a_fault(entry: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"trusted_proxies": ["10.0.0.0/8", entry]})

    assert caught.value.errors()[0]["loc"] == ("trusted_proxies", 1)
