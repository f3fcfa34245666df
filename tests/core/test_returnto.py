"""Where a browser may be sent: known attacks, and thousands of generated ones read as a browser reads them."""

import itertools
import re
import secrets
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.returnto import HOME, MAX_LENGTH, ReturnTargets

OWN = "https://app.example.com"
TARGETS = ReturnTargets(OWN, ["https://docs.example.org:8443", ".bar.foo"])

TABLE = ReturnTargets(
    OWN,
    [
        "foo.bar",
        ".bar.foo",
        "port.bar:8080",
        ".sub.port.bar:8080",
        "anyport.bar:*",
        ".sub.anyport.bar:*",
        "www.whitelisteddomain.tld",
        "*.wildcard.sub.port.bar:8080",
        "*.wildcard.sub.anyport.bar:*",
        "*.wildcard.bar",
        "*.wildcard.proxy.foo.bar",
    ],
)

ACCEPTED = [
    "http://foo.bar/redirect",
    "https://foo.bar/redirect",
    "http://baz.bar.foo/redirect",
    "https://baz.bar.foo/redirect",
    "http://bar.foo/redirect",
    "http://foo.sub.port.bar:8080/redirect",
    "http://port.bar:8080/redirect",
    "http://a.sub.anyport.bar:8081/redirect",
    "http://anyport.bar:8080/redirect",
    "http://anyport.bar:8081/redirect",
    "http://a.sub.anyport.bar:8080/redirect",
    "https://foo.wildcard.bar/redirect",
    "http://foo.wildcard.bar/redirect",
    "https://wildcard.bar/redirect",
    "http://wildcard.bar/redirect",
    "https://foo.wildcard.sub.anyport.bar:4242/redirect",
    "http://wildcard.sub.anyport.bar:4242/redirect",
    "https://foo.wildcard.sub.port.bar:8080/redirect",
    "http://wildcard.sub.port.bar:8080/redirect",
    "https://www.whitelisteddomain.tld/redirect?a=b#c",
    "https://foo.bar:443/redirect",
    "http://foo.bar:80/redirect",
]

REFUSED = [
    "",
    "//redirect",
    "http://baz.foo.bar/redirect",
    "https://baz.foo.bar/redirect",
    "http://foo.bar.evil.corp/redirect",
    "https://foo.bar.evil.corp/redirect",
    "http://evil.corp/redirect?rd=foo.bar",
    "https://evil.corp/redirect?rd=foo.bar",
    "https://evil.corp:3838/redirect",
    "http://foo.bar:3838/redirect",
    "http://baz.bar.foo:3838/redirect",
    "http://port.bar:3838/redirect",
    "http://foo.subport.bar:3838/redirect",
    "http://port.bar/redirect",
    "https://foo.bar:80/redirect",
    "foo.bar/redirect",
    "proxy.wildcard.bar/redirect",
    "http://foo.bar:808a/redirect",
    "http://[foo.bar]/redirect",
    "http://foo.bar:*/redirect",
    "http://evilbar.foo/redirect",
    *("/\\evil.com", "/ /evil.com", "/ \\evil.com", "/\t/evil.com", "/\t\\evil.com", "/\v/evil.com", "/\v\\evil.com"),
    *("/\n/evil.com", "/\n\\evil.com", "/\r/evil.com", "/\r\\evil.com", "/\t/\t\\evil.com", "/\t\t/\t/evil.com"),
    *("/\t\t\\\t/evil.com", "/\t\t/\t\t\\evil.com", "/\t\t\\\t\t/evil.com", "/./\\evil.com", "/./../../\\evil.com"),
]

NAMED_ATTACKS = {
    "O2": ["//example.com", "%2F%2Fexample.com"],
    "O3": ["/\\evil.com"],
    "O4": [f"/%{code}{slash}evil.com" for code in ("20", "09", "0B", "0A", "0D") for slash in "/\\"],
    "O5": ["/./\\evil.com", "/./../../\\evil.com", "/..//evil.com", "/.//evil.com"],
    "O6": ["http://evilbar.foo", "https://evil-bar.foo/", "https://bar.foo.evil/"],
    "B2": ["/\\evil", "/%5cevil", "/%5Cevil", "\\evil", "/%255cevil", "/%25255cevil"],
    "B3": ["///evil", "///evil/", "////evil//", "https:///evil", "https:evil", "https:/evil"],
    "B4": ["/\t/evil", "/%09/evil", "\t//evil", "ht\ttps://evil"],
    "B5": ["https://evil"],
    "B6": ["https://evil.example/logged-out", "//evil.example"],
    "B7": ["evil_protocol://app.example.com/", "https://app.example.com.evil/"],
    "B8": ["javascript:alert(1)//", "JaVaScRiPt://app.example.com/%0aalert(1)", "data:text/html,x", "vbscript:x"],
    "B9": ["https://evilapp.example.com/", "https://evil-bar.foo/"],
    "B12": ["//evil", "https://evil"],
    "B13": [
        "https://app.example.com@evil/",
        "https://good\\@evil",
        "https://app.example.com\\@evil",
        "https://a@b@app.example.com@evil/",
        "https://user@app.example.com/",
        "https://:@google.com\\@app.example.com",
        "https://@app.example.com/",
    ],
}


@pytest.mark.parametrize("target", ACCEPTED)
def test_allowed_hosts_are_accepted(target: str) -> None:
    """Redirect validator table, accept: an allowed host is left as it is, on its port, with its subdomains."""
    assert TABLE.safe(target) == target


@pytest.mark.parametrize("target", REFUSED)
def test_other_hosts_and_odd_paths_are_refused(target: str) -> None:
    """Redirect validator table, reject: everything else goes home."""
    assert TABLE.safe(target) == HOME


@pytest.mark.parametrize(("row", "target"), [(row, target) for row, found in NAMED_ATTACKS.items() for target in found])
def test_known_attacks_go_home(row: str, target: str) -> None:
    """O2-O6, B2-B9, B12, B13: each published redirect attack ends at "/"."""
    assert TARGETS.safe(target) == HOME, row


@pytest.mark.parametrize(
    "target",
    [
        "/redirect",
        "/",
        "/a/b/",
        "/a?next=https://b/c",
        "/a?next=//b/../c",
        "/a#https://b//c",
        "/a?x=%2f%2fy&z=%5c",
        "/my%20files/a%2Fb",
        "/.well-known/openid-configuration",
        "/@user/..name/a...b",
        "/view/http%3A%2F%2Fx",
        "/100%25",
        "/a//b",
        "/a//",
        "/a///b//c?d//e",
        "/proxy/https://x/a",
        "/https://x/a",
        "/a;v=1//b",
        "/;v=1/b",
        "/a/%2Fb",
    ],
)
def test_deep_links_survive(target: str) -> None:
    """A path of our own comes back unchanged, also when its query holds an address."""
    assert TARGETS.safe(target) == target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, "/"),
        ("https://app.example.com", "/"),
        ("https://app.example.com/a?b#c", "/a?b#c"),
        ("HTTPS://APP.Example.COM:443/A", "/A"),
        ("https://app.example.com?x", "/?x"),
        ("https://app.example.com//evil", "/"),
        ("http://app.example.com/a", "/"),
        ("https://app.example.com:444/a", "/"),
        ("https://DOCS.example.org:8443/A?B", "https://docs.example.org:8443/A?B"),
        ("https://docs.example.org/a", "/"),
        ("/caf\u00e9?\u3002#\ud800", "/caf%C3%A9?%E3%80%82#%ED%A0%80"),
        ("http\u017f://app.example.com/", "/"),
        ("https://app.e\uff0fxample.com/", "/"),
        ("/" + "a" * MAX_LENGTH, "/"),
        ("/a?path=C:\\temp", "/a?path=C:%5Ctemp"),
        ("/a#C:\\temp?\\", "/a#C:%5Ctemp?%5C"),
        ("https://app.example.com/a?\\\\b", "/a?%5C%5Cb"),
        ("https://docs.example.org:8443?\\@evil.com", "https://docs.example.org:8443?%5C@evil.com"),
        ("https://docs.example.org:8443/\\@evil.com", "/"),
        ("/%2Fa", "https://app.example.com/%2Fa"),
        ("/%2fa?b#c", "https://app.example.com/%2fa?b#c"),
        ("/%2F%2Fa", "https://app.example.com/%2F%2Fa"),
        ("/%252Fa", "https://app.example.com/%252Fa"),
        ("https://app.example.com/%2Fa", "https://app.example.com/%2Fa"),
        ("/%2F", "/"),
        ("/%2F.", "/"),
        ("/%2F;/a", "/"),
    ],
)
def test_absolute_addresses(target: str | None, expected: str) -> None:
    """Our own origin becomes a path, an allowed one is normalised, letters beyond ASCII are percent-encoded."""
    assert TARGETS.safe(target) == expected


@pytest.mark.parametrize(
    "path",
    [
        *("/a/../b", "/a/./b", "/a/%2E%2e/b", "/a/.%2e", "/a/..", "/a/.?x", "/a/..//evil.com", "/a//../..//evil.com"),
        *("/;//evil.com", "/;x//evil.com", "/.;//evil.com", "/..;//evil.com", "/;/;x//evil.com", "/%3b//evil.com"),
    ],
)
def test_paths_that_somebody_would_normalise_go_home(path: str) -> None:
    """O5: dot segments anywhere, and `//` after segments that may vanish: whoever removes these and redirects again
    would end at `//evil.com`."""
    assert TARGETS.safe(path) == HOME
    assert TARGETS.safe(OWN + path) == HOME


def test_own_origin_may_have_a_port_or_be_an_address() -> None:
    """Port and IPv6 brackets belong to the origin; other spellings of the same address are not looked up."""
    local = ReturnTargets("http://[::1]:8000")
    assert local.safe("http://[::1]:8000/a") == "/a"
    assert local.safe("http://[0:0::1]:8000/a") == HOME
    assert ReturnTargets("http://127.0.0.1:8000/").safe("http://2130706433:8000/a") == HOME


@pytest.mark.parametrize(
    "entry", ["", "https://a.example/path", "a b", "a..b", "https://u@a.example", "*.*.a", "a:99x"]
)
def test_unreadable_entries_are_named(entry: str) -> None:
    """A misspelt allowed entry is refused, and the message shows it."""
    with pytest.raises(ValueError, match=re.escape(repr(entry))):
        ReturnTargets(OWN, [entry])


def test_unreadable_public_url_is_named() -> None:
    """Without our own origin nothing can be judged."""
    with pytest.raises(ValueError, match=r"public_url 'app[.]example[.]com' is not"):
        ReturnTargets("app.example.com")


def browser_origin(location: str, base: str = OWN) -> tuple[str, str, int | None]:
    """Scheme, host and port to which a browser goes from `base`, after the URL standard (WHATWG), in a lenient reading.

    Where the standard would refuse (a forbidden character in a host), the host is still returned: to be judged.
    """
    text = re.sub(r"[\t\n\r]", "", location.strip("".join(map(chr, range(0x21)))))
    base_scheme, base_host, base_port = base_parts = _split(base.replace("https:", "", 1), "https")
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text)
    if match is None:
        turned = text.replace("\\", "/")
        return _split(turned, base_scheme) if turned.startswith("//") else base_parts
    scheme, rest = match[1].lower(), text[match.end() :]
    if scheme not in {"http", "https", "ws", "wss", "ftp", "file"}:
        return scheme, "", None
    if scheme == base_scheme and not re.match(r"[/\\]{2}", rest):  # "special relative or authority state"
        return browser_origin(rest.lstrip() or "/", base) if rest[:1] in {"/", "\\"} else (scheme, base_host, base_port)
    return _split(rest, scheme)


def _split(text: str, scheme: str) -> tuple[str, str, int | None]:
    authority = re.split(r"[/\\?#]", text.lstrip("/\\"), maxsplit=1)[0]
    host_and_port = authority.rpartition("@")[2]
    match = re.fullmatch(r"(\[[^]]*\]|[^:]*)(?::(.*))?", host_and_port, re.DOTALL)
    host, port = (match[1], match[2]) if match else (host_and_port, None)
    host = re.sub("[\u3002\uff0e\uff61]", ".", unquote(host)).lower()
    default = {"http": 80, "https": 443}.get(scheme)
    return scheme, host, int(port) if port and port.isdigit() else default


def assert_stays(targets: ReturnTargets, target: str) -> None:
    """The browser-visible place is our origin, or one that was allowed."""
    location = targets.safe(target)
    assert location.isascii()
    assert not re.search(r"[\x00-\x20\x7f\\]", location)
    scheme, host, port = browser_origin(location)
    own = (scheme, host, port) == ("https", "app.example.com", 443)
    docs = (scheme, host, port) == ("https", "docs.example.org", 8443)
    hosts = (host == "bar.foo" or host.endswith(".bar.foo")) and (scheme, port) in {("http", 80), ("https", 443)}
    assert own or docs or hosts, (target, location)
    if location.startswith("/"):  # a careless intermediary may decode once before the browser sees it
        assert browser_origin(unquote(location).replace(" ", ""))[1] == "app.example.com", (target, location)


SEPARATORS = ["/", "\\", "%2f", "%5c", "%2F", "%5C", "%252f", "%255c"]
FILLERS = [
    "",
    "\t",
    "\n",
    "\r",
    "\v",
    "\x00",
    " ",
    "%09",
    "%0a",
    "%0d",
    "%0b",
    "%00",
    "%20",
    ".",
    "..",
    "%2e",
    "%2e%2e",
    ";",
]
SCHEMES = [
    "",
    "http:",
    "https:",
    "HTTPS:",
    "javascript:",
    "data:",
    "ftp:",
    "file:",
    "ht\ttps:",
    "http\u017f:",
    " https:",
]
HOSTS = [
    "evil.com", "app.example.com.evil.com", "app.example.com@evil.com", "app.example.com\\@evil.com", "a@b@evil.com",
    "app.example.com:443@evil.com", ":@evil.com\\@app.example.com", "evil.com#@app.example.com", "evil.com?.bar.foo",
    "evil.com\\.bar.foo", "evil.com%2f.bar.foo", "evil.com%5c.bar.foo", "evil.com%00.bar.foo", "evil\u3002com",
    "evil.com\uff0f.bar.foo", "evil\uff0ecom", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]",
    "[fe80::1%25eth0]", "[::ffff:127.0.0.1]", "evilbar.foo", "app.example.com.", "APP.EXAMPLE.COM",
    "app.example.com:80", "app.example.com:", "xn--app-example.com", "a.bar.foo", "docs.example.org:8443",
    "docs.example.org",
]  # fmt: skip
TAILS = ["", "/", "/a", "/..", "//", "?rd=https://app.example.com", "#/app.example.com", "/%2e%2e/%2e%2e"]


def test_generated_relative_attacks_stay() -> None:
    """B1, O2-O5: every mix of slashes, backslashes, controls and dot segments in front of a host stays with us."""
    fronts = ["".join(mix) for mix in itertools.product(SEPARATORS, FILLERS, SEPARATORS, FILLERS)]
    doubled = ["".join(mix) for mix in itertools.product("/\\", FILLERS, FILLERS, SEPARATORS, ("", "/"))]
    for front in dict.fromkeys(fronts + doubled):
        assert_stays(TARGETS, f"{front}evil.com")


def test_generated_absolute_attacks_stay() -> None:
    """B1, B13, O6: every mix of scheme, slashes, host and tail is ours, allowed, or refused."""
    slashes = ["//", "/", "", "///", "\\\\", "/\\", "\\/", "//\t", "/\n/", "%2f%2f"]
    for mix in itertools.product(SCHEMES, slashes, HOSTS, TAILS):
        assert_stays(TARGETS, "".join(mix))


def test_one_character_anywhere_changes_no_host() -> None:
    """B1: any single character of interest put anywhere into good and bad addresses leads nowhere else."""
    odd = (
        [chr(code) for code in range(0x21)] + list("\x7f\x85\xa0\\@:#?%/.;*") + ["\u2028", "\uff0f", "\u3002", "\u00ad"]
    )
    for target in ("https://app.example.com/a", "https://a.bar.foo/", "//evil.com/", "/a/b?c", "https://evil.com/"):
        for position, character in itertools.product(range(len(target) + 1), odd):
            assert_stays(TARGETS, target[:position] + character + target[position:])


PIECES = st.sampled_from([*SEPARATORS, *FILLERS, *SCHEMES, *HOSTS, *TAILS, "@", ":", "?", "#", "%", "a"])


@pytest.mark.property
@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=40)))
def test_a_return_address_never_leaves_the_host(target: str) -> None:
    """B1: whatever the text, a browser that follows the answer stays with us or an allowed origin."""
    assert_stays(TARGETS, target)


@pytest.mark.property
@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=40)))
def test_what_is_safe_stays_safe(target: str) -> None:
    """Judging an answer again changes nothing: it may travel through `state` and be judged at each end."""
    once = TARGETS.safe(target)
    assert TARGETS.safe(once) == once


def test_the_browser_reading_itself_sees_the_attacks() -> None:
    """The oracle of these tests sends the known attacks to the other host: it is not blind."""
    for target in ("//evil", "/\\evil", "/\t/evil", "\\\\evil", "https:\\\\evil", "https://a\\@evil", "https://a@evil"):
        assert browser_origin(target)[1] in {"evil", "a"}, target
    assert browser_origin("https:evil/")[1] == "app.example.com"
    assert browser_origin("http:evil/")[1] == "evil"
    assert browser_origin(f"https://evil\u3002com/{secrets.token_hex(4)}")[1] == "evil.com"
