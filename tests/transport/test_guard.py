"""Which addresses the gateway may connect to."""

from __future__ import annotations

import pytest

from llmgateway.errors import AddressRefused
from llmgateway.transport.guard import AddressPolicy, Kind, kind_of
from llmgateway.transport.url import Origin

PUBLIC = """
    1.1.1.1 8.8.8.8 104.18.7.192 162.159.140.245 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0
    126.255.255.255 128.0.0.0 168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0
    191.255.255.255 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255
    203.0.112.255 203.0.114.0 223.255.255.255
    2606:4700:4400::6812:215b 2a00:1450:4001:82a::200a 2600:1f18::1 2001:200::1 2001:4860:4860::8888
    2003::1 3ffd::1 3fff:1000::1 2620:4f:8000::1
""".split()

LOOPBACK = "127.0.0.1 127.0.0.2 127.1.2.3 127.255.255.255 ::1".split()

SPECIAL = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255
    168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1
    192.0.0.9 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1
    198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:10.0.0.1 ::ffff:0:7f00:1
    64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b::a9fe:a9fe 64:ff9b:1::1 64:ff9b:1:7f00:0:100:: 100::1
    1fff::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:30::1
    2001:1ff::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1:: 2002:a00:1::1 2002:808:808::1 3ffe::1
    3fff::1 3fff:fff::1 4000::1 5f00::1 8000::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 fe80::1%eth0
    febf::1 fec0::1 ff02::1 ff0e::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    2606:4700::1%eth0 ::1%lo localhost example.com 127.1 2130706433 0x7f.0.0.1 0177.0.0.1 1.1.1.1:80
    [::1]
""".split()


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert Kind.PUBLIC is kind_of(address)


@pytest.mark.parametrize("address", LOOPBACK)
def test_a_loopback_address_is_loopback(address: str) -> None:
    assert Kind.LOOPBACK is kind_of(address)


@pytest.mark.parametrize("address", SPECIAL)
def test_any_other_address_is_special(address: str) -> None:
    assert Kind.SPECIAL is kind_of(address)


def test_an_empty_text_is_no_address() -> None:
    assert Kind.SPECIAL is kind_of("")


ORIGIN = Origin("https", "provider.example", 443)


@pytest.mark.parametrize("bad", [*LOOPBACK, *SPECIAL])
def test_one_bad_address_among_good_ones_refuses_all(bad: str) -> None:
    policy = AddressPolicy()

    for addresses in ([bad], ["1.1.1.1", bad], [bad, "1.1.1.1"], ["1.1.1.1", bad, "2003::1"]):
        with pytest.raises(AddressRefused):
            policy.check(ORIGIN, addresses)


def test_public_addresses_pass_in_their_order() -> None:
    assert PUBLIC == AddressPolicy().check(ORIGIN, PUBLIC)


@pytest.mark.parametrize("address", LOOPBACK)
@pytest.mark.parametrize("port", [1, 80, 11434, 65535])
def test_loopback_is_let_through_at_any_port_when_allowed(address: str, port: int) -> None:
    policy = AddressPolicy(allow_loopback=True)
    origin = Origin("http", "localhost", port)

    assert [address] == policy.check(origin, [address])
    assert [address, "1.1.1.1"] == policy.check(origin, [address, "1.1.1.1"])


@pytest.mark.parametrize("address", SPECIAL)
def test_what_only_maps_to_loopback_is_refused_even_then(address: str) -> None:
    with pytest.raises(AddressRefused):
        AddressPolicy(allow_loopback=True).check(Origin("http", "localhost", 80), [address])


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("http", "10.0.0.5", 11434),
        ("http", "ollama.lan", 11434),
        ("https", "::1", 443),
        ("http", "fd00::a", 80),
    ],
)
def test_an_allowed_origin_may_have_any_address(scheme: str, host: str, port: int) -> None:
    policy = AddressPolicy(
        frozenset(
            {
                ("http", "10.0.0.5", 11434),
                ("HTTP", "Ollama.LAN", 11434),
                ("https", "0:0:0:0:0:0:0:1", 443),
                ("http", "FD00:0::A", 80),
            }
        )
    )

    assert ["10.0.0.5"] == policy.check(Origin(scheme, host, port), ["10.0.0.5"])


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("https", "10.0.0.5", 11434),
        ("http", "10.0.0.6", 11434),
        ("http", "10.0.0.5", 80),
        ("http", "10.0.0.5.example", 11434),
        ("http", "ollama", 11434),
    ],
)
def test_an_allowed_origin_is_scheme_host_and_port(scheme: str, host: str, port: int) -> None:
    policy = AddressPolicy(frozenset({("http", "10.0.0.5", 11434)}))

    with pytest.raises(AddressRefused):
        policy.check(Origin(scheme, host, port), ["10.0.0.5"])


@pytest.mark.parametrize("host", ["fe80::1%eth0", "localhost.", "127.1", "", "a b", "0x7f000001"])
def test_an_allowed_host_that_no_request_can_name_allows_nothing(host: str) -> None:
    assert frozenset() == AddressPolicy(frozenset({("http", host, 80)})).allowed


def test_a_refusal_names_origin_and_settings_but_not_the_address() -> None:
    with pytest.raises(AddressRefused) as caught:
        AddressPolicy().check(Origin("http", "intranet.example", 8080), ["10.1.2.3"])

    message = caught.value.message
    assert '"http://intranet.example:8080"' in message
    assert "allowed_upstreams" in message
    assert "allow_loopback_upstreams" in message
    assert "10.1.2.3" not in message
    assert (400, "invalid_request_error") == (caught.value.status, caught.value.type)
