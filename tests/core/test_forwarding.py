"""What the gateway does to header lines on their way to the application, and back."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import forwarding
from gateway.core.asgi import HeaderList
from gateway.core.forwarding import Forwarding, end_to_end
from gateway.core.identity_headers import fold, owned_names
from gateway.core.trust import TrustedPeers

OWNED = owned_names(["x-forwarded-user", "X-Who", "authorization"])
CLIENT = ("203.0.113.9", 50000)
PROXY = ("10.0.0.1", 443)
BLOCK: HeaderList = [(b"x-forwarded-user", b"ada"), (b"x-who", b"ada")]
BUILT: HeaderList = [
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"app.example.com"),
    (b"x-forwarded-port", b"443"),
    (b"forwarded", b"for=203.0.113.9;host=app.example.com;proto=https"),
]


def make(public_url: str = "https://app.example.com", trusted: tuple[str, ...] = ("10.0.0.0/8",)) -> Forwarding:
    return Forwarding(owned=OWNED, public_url=public_url, trusted=TrustedPeers(trusted))


def through(
    forwarding: Forwarding, headers: HeaderList, peer: tuple[str, int] | None = CLIENT, block: HeaderList | None = None
) -> HeaderList:
    return forwarding.request_headers(*forwarding.split(headers), peer, block or [])


FORWARDING = make()


def sent(headers: HeaderList, peer: tuple[str, int] | None = CLIENT, block: HeaderList = BLOCK) -> HeaderList:
    return through(FORWARDING, headers, peer, block)


def test_a_usual_request_keeps_its_lines_and_gets_ours() -> None:
    """Other lines pass in order, with their repeats; then the way it took, then the identity."""
    headers = [(b"host", b"app.example.com"), (b"accept", b"a"), (b"accept", b"b"), (b"content-length", b"3")]
    assert sent([*headers, (b"connection", b"keep-alive")]) == [*headers, *BUILT, *BLOCK]


def test_the_answer_is_always_a_new_list() -> None:
    """A5: what a server appends to the live list later (trailers) never reaches the application."""
    headers = [(b"host", b"a")]
    before = sent(headers)
    headers.append((b"x-forwarded-user", b"admin"))
    assert (b"x-forwarded-user", b"admin") not in before
    before.append((b"x", b"y"))
    assert sent([(b"host", b"a")])[-1] != (b"x", b"y")
    assert BLOCK[-1] == (b"x-who", b"ada")


@pytest.mark.parametrize(
    "connection",
    [
        [b"close, X-Forwarded-Host, X-Forwarded-User"],
        [b"x-forwarded-user", b"X-WHO,x-forwarded-for"],
        [b"keep-alive", b"Close,\tx-who , forwarded"],
        [b"X-Forwarded-User"],
        [b",,x-who,,"],
    ],
)
def test_connection_cannot_name_our_lines(connection: list[bytes]) -> None:
    """A1, A2: ours are added after what Connection names was dropped; case and repeats change nothing."""
    lines = [(b"connection", value) for value in connection]
    assert sent([*lines, (b"x-forwarded-user", b"admin"), (b"accept", b"a")]) == [(b"accept", b"a"), *BUILT, *BLOCK]


def test_what_connection_names_is_dropped() -> None:
    """RFC 9110 §7.6.1: a line that Connection names ends here, also when it came first; framing and host do not."""
    headers = [(b"x-hop", b"1"), (b"connection", b"X-Hop, host, Content-Length, transfer-encoding"), (b"x-hop", b"2")]
    kept = [(b"host", b"a"), (b"content-length", b"0"), (b"transfer-encoding", b"chunked")]
    assert sent([*headers, *kept]) == [*kept, *BUILT, *BLOCK]


@pytest.mark.parametrize("peer", [CLIENT, PROXY, None])
@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-user", b"x-forwarded-groups", b"x-who", b"authorization", b"x-auth-request-email",
        b"x-auth-request-new",
        b"x-amzn-oidc-data", b"x-amzn-oidc-identity", b"x-amzn-oidc-anything", b"x-auth-groups",
        b"X-Forwarded-User", b"x_forwarded_user", b"X_Forwarded-Email", b"x-auth_request_user", b"X.Amzn.Oidc.Identity",
        b"x.forwarded.user", b"x~who", b"x\xadwho", b"X_Amzn_Oidc_Data", b"X-Amzn_Oidc-Data",
    ],
)  # fmt: skip
def test_nobody_but_us_sets_our_names(name: bytes, peer: tuple[str, int] | None) -> None:
    """A3, A4, A6, A7, A8, A17, A18, O9, Q11, #877: dropped in every spelling, without a session too, from anybody."""
    for block in (BLOCK, []):
        out = sent([(name, b"admin"), (b"accept", b"a"), (name, b"other")], peer, block)
        assert [line for line in out if line[1] in {b"admin", b"other"}] == []
        assert [fold(found) for found, _ in out if fold(found) in OWNED] == [found for found, _ in block]


def test_generated_spellings_of_our_names_are_dropped() -> None:
    """A3, A4, O9: every mix of separators and case, thousands of them, is the same name to us."""
    separators = [b"-", b"_", b".", b"~", b"\xff"]
    words = [[b"x", b"X"], [b"forwarded", b"Forwarded"], [b"user", b"USER", b"host", b"Proto", b"for", b"prefix"]]
    for one, two, (first, second, third) in itertools.product(separators, separators, itertools.product(*words)):
        name = first + one + second + two + third
        assert sent([(name, b"evil")]) == [*BUILT, *BLOCK], name


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix",
        b"forwarded", b"x-real-ip", b"true-client-ip", b"x-forwarded-client-cert", b"x-original-url", b"x-rewrite-url",
        b"x-forwarded-uri", b"x-forwarded-method", b"x-envoy-original-path",
        b"x_forwarded_proto", b"X_Forwarded_For", b"x.forwarded.host",
        b"x_original_url", b"proxy",
    ],
)  # fmt: skip
def test_untrusted_facts_about_the_way_never_pass(name: bytes) -> None:
    """A3, A9, A10, A11, A14, Q14: from a stranger they are dropped, and rebuilt from what is known."""
    assert sent([(name, b"evil"), (name, b"evil2")]) == [*BUILT, *BLOCK]


@pytest.mark.parametrize("name", [b"x-original-url", b"x-rewrite-url", b"x-forwarded-uri", b"x-envoy-original-path"])
def test_what_was_judged_is_what_is_served(name: bytes) -> None:
    """A11: nobody, trusted or not, sends the application a second path beside the one that was judged."""
    assert name not in dict(sent([(name, b"/admin")], PROXY))


def test_no_header_chooses_the_upstream() -> None:
    """A19: `x-skipper-proxy` and the like are plain lines to us; X-Forwarded-Host is ours alone."""
    assert dict(sent([(b"x-forwarded-host", b"169.254.169.254")], PROXY))[b"x-forwarded-host"] == b"app.example.com"


def test_a_trusted_proxy_speaks_for_the_client() -> None:
    """A15, Q14: the chain begins with the rightmost untrusted hop; proto, host and port come from our settings."""
    headers = [
        (b"x-forwarded-for", b"6.6.6.6, 203.0.113.9"),
        (b"x-forwarded-for", b"10.0.0.7"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-prefix", b"/team"),
        (b"forwarded", b"for=6.6.6.6"),
        (b"connection", b"keep-alive"),
    ]
    assert sent(headers, PROXY) == [
        (b"x-forwarded-prefix", b"/team"),
        (b"x-forwarded-for", b"203.0.113.9, 10.0.0.7, 10.0.0.1"),
        *BUILT[1:4],
        (b"forwarded", b"for=203.0.113.9;host=app.example.com;proto=https, for=10.0.0.7, for=10.0.0.1"),
        *BLOCK,
    ]


def test_a_trusted_proxy_that_says_nothing_is_named_itself() -> None:
    """Trusted IP table: no header, no client; the chain holds what is known."""
    assert dict(sent([], PROXY))[b"x-forwarded-for"] == b"10.0.0.1"


@pytest.mark.parametrize("peer", [None, ("@", 0), ("/run/x.sock", 0)])
def test_a_peer_without_an_address_is_unknown(peer: tuple[str, int] | None) -> None:
    """RFC 7239 §6.3: `unknown`, and no X-Forwarded-For of anybody's invention."""
    out = dict(sent([(b"x-forwarded-for", b"6.6.6.6")], peer))
    assert b"x-forwarded-for" not in out
    assert out[b"forwarded"] == b"for=unknown;host=app.example.com;proto=https"


@pytest.mark.parametrize(
    ("public_url", "host", "port", "parameter"),
    [
        ("http://localhost:8000", b"localhost:8000", b"8000", b'host="localhost:8000";proto=http'),
        ("https://App.Example.com:443/", b"app.example.com", b"443", b"host=app.example.com;proto=https"),
        ("http://[::1]:80", b"[::1]", b"80", b'host="[::1]";proto=http'),
    ],
)
def test_place_and_ipv6_are_written_by_the_book(public_url: str, host: bytes, port: bytes, parameter: bytes) -> None:
    """RFC 7239 §4, §6: what holds a colon is quoted, IPv6 is bracketed; a usual port is left out of the host."""
    out = dict(through(make(public_url), [], ("::ffff:203.0.113.9", 1)))
    assert (out[b"x-forwarded-host"], out[b"x-forwarded-port"]) == (host, port)
    assert out[b"forwarded"] == b"for=203.0.113.9;" + parameter
    six = dict(through(make(public_url), [], ("2001:db8::1", 1)))
    assert (six[b"x-forwarded-for"], six[b"forwarded"]) == (b"2001:db8::1", b'for="[2001:db8::1]";' + parameter)


@pytest.mark.parametrize("public_url", ["", "app.example.com", "ftp://a", "https://"])
def test_a_public_url_must_be_one(public_url: str) -> None:
    """Without a place of our own there is nothing to tell the application."""
    with pytest.raises(ValueError, match="public_url"):
        make(public_url)


def test_own_cookies_never_travel() -> None:
    """Q11, C8: applications see their own cookies only; an empty header is left out, crafted ones do not raise."""
    cookies = [b"a=1; __Host-cg_session=x; b=2", b"cg_idle=y", b"=;;a", b"; __Secure-cg_session.1=z;", b"c=cg_session"]
    out = sent([(b"cookie", value) for value in cookies])
    assert [value for name, value in out if name == b"cookie"] == [b"a=1; b=2", b"=;;a", b"c=cg_session"]


def test_hop_by_hop_lines_end_here() -> None:
    """RFC 9110 §7.6.1: whether Connection names them or not; a trailer's announcement too (A5)."""
    names = [
        b"keep-alive",
        b"te",
        b"trailer",
        b"proxy-authorization",
        b"proxy-connection",
        b"upgrade",
        b"http2-settings",
    ]
    assert sent([(name, b"x") for name in names]) == [*BUILT, *BLOCK]


@pytest.mark.parametrize("connection", [b"Upgrade", b"keep-alive, Upgrade", b"upgrade,x-hop", b" UPGRADE "])
def test_a_websocket_handshake_stays_one(connection: bytes) -> None:
    """Q15: Firefox says `keep-alive, Upgrade`; the two lines are written anew, the key passes."""
    headers = [(b"upgrade", b"WebSocket"), (b"connection", connection), (b"sec-websocket-key", b"k"), (b"x-hop", b"1")]
    kept = [(b"sec-websocket-key", b"k")] + ([] if b"x-hop" in connection else [(b"x-hop", b"1")])
    assert sent(headers) == [*kept, *BUILT, (b"connection", b"Upgrade"), (b"upgrade", b"websocket"), *BLOCK]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"connection", b"Upgrade, HTTP2-Settings"), (b"upgrade", b"h2c"), (b"http2-settings", b"x")],
        [(b"connection", b"keep-alive"), (b"upgrade", b"websocket")],
        [(b"connection", b"Upgrade")],
        [(b"connection", b"upgrade"), (b"upgrade", b"websocket, h2c")],
    ],
)
def test_no_other_upgrade_passes(headers: HeaderList) -> None:
    """F2: h2c and half handshakes are plain requests to the application."""
    assert sent(headers) == [*BUILT, *BLOCK]


@pytest.mark.parametrize("name", [b"cookie", b"authorization", b"x-http-method-override", b"x_method.override"])
def test_what_a_verdict_depends_on_is_never_plain(name: bytes) -> None:
    """A17, O9: however often it was seen, the gate hears it; and the application gets it still."""
    for _ in range(3):
        assert FORWARDING.split([(b"accept", b"*/*"), (name, b"a=1")]) == ([(b"accept", b"*/*")], [(name, b"a=1")])
    kept = (name, b"a=1") in sent([(name, b"a=1")])
    assert kept == (name not in OWNED)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What strangers send, names or addresses, many or long, is remembered within bounds; answers stay the same."""
    monkeypatch.setattr(forwarding, "_MEMO_ENTRIES", 8)
    bounded = make()
    for number in range(40):
        name = f"x-{number}".encode()
        assert (name, b"1") in through(bounded, [(name, b"1")], (f"203.0.113.{number}", 1))
        assert len(bounded._plain) <= len(bounded._verdicts) <= 8
        assert len(bounded._chains) <= 8
    long_name, long_chain = b"x" * 100, b"6.6.6.6, " * 100 + b"203.0.113.9"
    through(bounded, [(long_name, b"1"), (b"x-forwarded-for", long_chain)], PROXY)
    assert long_name not in bounded._verdicts
    assert ("10.0.0.1", long_chain) not in bounded._chains


def test_answers_lose_their_hop_by_hop_lines() -> None:
    """RFC 9110 §7.6.1, for the way back: any case, what Connection names too, framing aside; a new list."""
    headers = [
        (b"Content-Length", b"3"),
        (b"Connection", b"close, X-Hop, content-length"),
        (b"x-hop", b"1"),
        (b"Keep-Alive", b"timeout=5"),
        (b"transfer-encoding", b"chunked"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
    ]
    assert end_to_end(headers) == [headers[0], *headers[-2:]]
    plain = [(b"content-type", b"text/html"), (b"connection", b"keep-alive")]
    assert end_to_end(plain) == plain[:1]
    assert end_to_end(plain[:1]) is not plain


NAMES = st.sampled_from(
    [
        b"accept",
        b"host",
        b"cookie",
        b"connection",
        b"upgrade",
        b"x-forwarded-for",
        b"x-real-ip",
        b"te",
        b"x_who",
        b"x-hop",
    ]
) | st.binary(min_size=1, max_size=12)
VALUES = st.sampled_from(
    [b"websocket", b"upgrade", b"x-hop, x-who", b"keep-alive", b"10.0.0.2, 6.6.6.6", b"cg_a=1; b=2"]
)
HEADERS = st.lists(st.tuples(NAMES, VALUES | st.binary(max_size=12)), max_size=10)


@pytest.mark.property
@given(HEADERS, st.sampled_from([CLIENT, PROXY, None]))
def test_no_message_touches_what_is_ours(headers: HeaderList, peer: tuple[str, int] | None) -> None:
    """Part A: whatever the lines, our block stands at the end unchanged, and nobody else's line has a name of ours."""
    out = through(FORWARDING, headers, peer, BLOCK)
    assert out[-len(BLOCK) :] == BLOCK
    assert [name for name, _ in out[: -len(BLOCK)] if fold(name) in OWNED] == []
    built = [name for name, _ in out if name in {b"x-forwarded-proto", b"forwarded", b"x-forwarded-host"}]
    assert built == [b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"]


@pytest.mark.property
@given(HEADERS)
def test_memory_changes_no_answer(headers: HeaderList) -> None:
    """A forwarding that has seen everything answers as one that was just made."""
    assert through(FORWARDING, headers, PROXY, BLOCK) == through(make(), headers, PROXY, BLOCK)
