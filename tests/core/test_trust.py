"""Which peers may speak for a client."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import trust
from gateway.core.trust import TrustedPeers

LOCAL = TrustedPeers(["127.0.0.0/8", "::1", "10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.255.0.9", "::1", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::5", "::FFFF:7f00:1"]
)
def test_listed_networks_are_trusted(host: str) -> None:
    """Trusted IP table: addresses inside a listed network, IPv4-mapped ones folded first."""
    assert LOCAL.trusts(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "@",
        "/run/gateway.sock",
        "adsfljk29242as!!",
        "::2",
        "11.0.0.1",
        "10.0.0.1:80",
        "10.1",
        "167772161",
        "0x0a000001",
        "010.0.0.1",
        "10.0.0.1 ",
        "10.0.0.1,10.0.0.2",
        "localhost",
        "::ffff:11.0.0.1",
        "x" * 100,
        "\uff11\uff10.0.0.1",
    ],
)
def test_everything_else_is_not(host: str | None) -> None:
    """Trusted IP table: garbage, a unix socket, other spellings and other networks are not trusted, and no error."""
    assert not LOCAL.trusts(host)
    assert not LOCAL.trusts(host)  # nor the second time


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "192.168.0.1", "::1", "fd00::1", "169.254.1.1"])
def test_nobody_is_trusted_by_default(host: str) -> None:
    """A12, A16: no permissive default; private and loopback ranges are not special."""
    assert not TrustedPeers().trusts(host)
    assert not TrustedPeers()
    assert LOCAL


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "10.0.0.0/33", "localhost", "10.0.0.0-10.0.0.9", "::g", "*"])
def test_a_bad_network_is_named(text: str) -> None:
    """A misspelt network is refused at start; it never becomes a literal."""
    with pytest.raises(ValueError, match=re.escape(f"trusted network {text!r}")):
        TrustedPeers(["127.0.0.1", text])


def test_mapped_networks_are_folded_too() -> None:
    """An operator may write what the socket reports."""
    assert TrustedPeers(["::ffff:10.0.0.0/104"]).trusts("10.9.9.9")
    assert not TrustedPeers(["::ffff:10.0.0.0/104"]).trusts("11.0.0.1")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["127.0.0.1"], "203.0.113.9"),
        ("10.0.0.1", ["192.168.50.10"], "192.168.50.10"),
        ("10.0.0.1", ["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9, 10.0.0.5"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.5, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9 ,\t10.0.0.5"], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db9::1]:4711"], "2001:db9::1"),
        ("10.0.0.1", ["2001:db9::1"], "2001:db9::1"),
        ("10.0.0.1", ['fe80::1%"; for=evil'], "fe80::1"),
        ("10.0.0.1", [], ""),
        ("10.0.0.1", [""], ""),
        ("10.0.0.1", ["adsfljk29242as!!"], ""),
        ("10.0.0.1", ["203.0.113.9, unknown"], ""),
        ("10.0.0.1", ["10000.10000.10000.10000"], ""),
        ("10.0.0.1", ["203.0.113.9, garbage, 10.0.0.5"], ""),
        ("10.0.0.1", ["10.0.0.5"], ""),
        (None, ["203.0.113.9"], ""),
        ("@", ["203.0.113.9"], ""),
        ("fe80::1%eth0", [], "fe80::1"),
    ],
)
def test_the_client_is_the_rightmost_untrusted_hop(peer: str | None, forwarded_for: list[str], client: str) -> None:
    """A15, PR 3478: what strangers wrote further left counts for nothing; a proxy's own address is never the client."""
    assert LOCAL.client_address(peer, forwarded_for) == client


def test_hops_are_the_client_and_the_proxies_after_it() -> None:
    """Q14: the chain that goes upstream begins with the client, whatever it claimed itself."""
    assert LOCAL.hops("10.0.0.1", ["6.6.6.6, 203.0.113.9, 10.0.0.5"]) == ["203.0.113.9", "10.0.0.5", "10.0.0.1"]
    assert LOCAL.hops("10.0.0.1", []) == ["10.0.0.1"]


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of strangers fill no memory, neither by number nor by length."""
    monkeypatch.setattr(trust, "_MEMO_ENTRIES", 4)
    peers = TrustedPeers(["10.0.0.0/8"])
    for number in range(20):
        assert peers.trusts(f"10.0.0.{number}")
        assert len(peers._memo) <= 4
    assert not peers.trusts("9" * 100)
    assert "9" * 100 not in peers._memo


HOP = st.one_of(
    st.ip_addresses().map(str), st.sampled_from(["10.0.0.1", "127.0.0.1", "unknown", "", "x"]), st.text(max_size=8)
)


@pytest.mark.property
@given(HOP, st.lists(HOP, max_size=5), st.lists(HOP, max_size=3))
def test_strangers_on_the_left_change_nothing(peer: str, claimed: list[str], tail: list[str]) -> None:
    """A15: once a client is found, whatever stands before it in the header makes no difference."""
    client = LOCAL.client_address(peer, tail)
    if client:
        assert not LOCAL.trusts(client)
        assert LOCAL.client_address(peer, [*claimed, *tail]) == client
