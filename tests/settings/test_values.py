"""The kinds of value: what each takes, what it makes of it, and the words with which it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import values

DURATION = "is not a duration; write a number and its unit, for example 30s, 15m, 12h or 7d"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("15m", 900),
        ("12h", 43200),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("0", 0),
    ],
)
def test_a_duration_is_a_number_with_its_unit(text, seconds):
    """Each unit, a sum of two, a fraction, and zero, which needs none."""
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "12", "h", "12 h", "-5s", "1e3s", "12hours", "٣s", "5S", None, 7, True, "1.s", []]
)
def test_a_number_without_unit_is_no_duration(text):
    """`lifetime: 12` does not say hours or seconds, so it is refused and not guessed."""
    with pytest.raises(ValueError) as refused:
        values.parse_duration(text)
    assert str(refused.value) == DURATION


def test_a_duration_beyond_ten_years_is_a_slip():
    """Large numbers are refused before any sum of them could leave 64 bits (C18)."""
    with pytest.raises(ValueError, match="is longer than ten years"):
        values.parse_duration("999999999d")


def test_lifetimes_are_whole_seconds():
    """Cookies and tokens count in seconds."""
    assert values.parse_whole_seconds("1h") == 3600
    with pytest.raises(ValueError, match="must be whole seconds"):
        values.parse_whole_seconds("1500ms")


@pytest.mark.parametrize(
    ("text", "size"), [("512B", 512), ("16KiB", 16384), ("10MiB", 10 * 2**20), ("1GB", 10**9), ("2kB", 2000)]
)
def test_a_size_is_a_number_with_its_unit(text, size):
    """Binary and decimal units mean what they say."""
    assert values.parse_size(text) == size


@pytest.mark.parametrize("text", ["1024", "1 MiB", "1mib", "-1B", "1.5MiB", None, 5])
def test_a_number_without_unit_is_no_size(text):
    """Bytes or KiB is not guessed."""
    with pytest.raises(ValueError, match="is not a size"):
        values.parse_size(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com:443/", "https://app.example.com"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_a_public_url_becomes_its_origin(text, origin):
    """Case, default port and the slash at the end do not matter."""
    assert values.parse_public_url(text) == origin


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://app.example.com", "must begin with https:// (plain http is for localhost only)"),
        ("http://localhost.example.com", "must begin with https:// (plain http is for localhost only)"),
        ("http://128.0.0.1", "must begin with https:// (plain http is for localhost only)"),
        ("https://app.example.com/app", "must be an address without a path, for example https://app.example.com"),
        ("https://app.example.com?", "must be an address without a path, for example https://app.example.com"),
        ("https://app.example.com/#", "must be an address without a path, for example https://app.example.com"),
        ("https://me:pw@app.example.com", "must not contain a user name or password"),
        ("https://good@evil", "must not contain a user name or password"),
        ("https://app.example.com\\@evil", "must not contain spaces, control characters or backslashes"),
        ("https://app.example.com\n", "must not contain spaces, control characters or backslashes"),
        ("app.example.com", "must begin with http:// or https://"),
        ("ftp://app.example.com", "is not a web address; write for example https://app.example.com"),
        ("https://", "is not a web address; write for example https://app.example.com"),
        ("https://a..b", "is not a web address; write for example https://app.example.com"),
        ("https://app.example.com:0", "is not a web address; write for example https://app.example.com"),
        ("https://app.example.com:99999", "is not a web address"),
        ("https://[::1", "is not a web address"),
        ("https://exämple.com", "is not a web address; write for example https://app.example.com"),
        (None, "must be a string"),
    ],
)
def test_what_is_no_public_url_is_refused(text, words):
    """B13 and its kin: nothing that two parsers could read differently becomes our own address."""
    with pytest.raises(ValueError) as refused:
        values.parse_public_url(text)
    assert str(refused.value) == words


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0"])
def test_nobody_may_trust_everybody(text):
    """A12, O11: a trusted set of every address is refused, not merely no default."""
    with pytest.raises(ValueError) as refused:
        values.parse_network(text)
    assert str(refused.value) == "trusts every address there is; list the networks of your own proxies"


@pytest.mark.parametrize(
    "text", ["adsfljk29242as!!", "10.0.0.5/8", "10.0.0.0/33", "", "10.0.0", None, "@", "10000.1.1.1"]
)
def test_a_bad_network_is_refused_and_not_taken_literally(text):
    """A network that cannot be read is a mistake in the file, never a rule that matches nothing."""
    with pytest.raises(ValueError):
        values.parse_network(text)


@pytest.mark.parametrize(
    ("text", "network"), [("192.0.2.7", "192.0.2.7/32"), ("fd00::/8", "fd00::/8"), ("10.0.0.0/8", "10.0.0.0/8")]
)
def test_networks_and_single_addresses(text, network):
    """A single address is a network of one."""
    assert values.parse_network(text) == network


@pytest.mark.parametrize("text", ["/oauth2/callback", "/", "/a/b.c/", "/x-y_z~"])
def test_plain_paths(text):
    """Paths without anything that needs a second reading."""
    assert values.parse_path(text) == text


@pytest.mark.parametrize(
    "text", ["", "oauth2", "//evil", "/a//b", "/a/../b", "/.", "/a?b", "/a#b", "/%2e", "/a b", "/a\\b", "/a\n", "/é"]
)
def test_paths_with_two_readings_are_refused(text):
    """Our own addresses have one spelling."""
    with pytest.raises(ValueError, match="must be a plain path"):
        values.parse_path(text)


@pytest.mark.parametrize(
    "text", ["unix:relative.sock", "unix:/", "unix:", "unix:/a\nb", "tcp://a:1", "http://a/path", "127.0.0.1:3000"]
)
def test_servers_that_cannot_be_reached(text):
    """An upstream is an origin or an absolute socket path."""
    with pytest.raises(ValueError):
        values.parse_server(text)


def test_servers():
    """The three forms."""
    assert values.parse_server("unix:/run/app.sock") == "unix:/run/app.sock"
    assert values.parse_server("http://127.0.0.1:3000/") == "http://127.0.0.1:3000"
    assert values.parse_server("https://app.internal") == "https://app.internal"


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://app.example.com/oauth2/callback", True),
        ("http://localhost:8000/cb", True),
        ("http://[::1]/cb", True),
        ("myapp://callback", True),
        ("http://localhost.com/", False),
        ("https://a/#x", False),
        ("/callback", False),
        ("https:///x", False),
        ("https://a b", False),
        ("https://a/" + "x" * 1024, False),
    ],
)
def test_callback_addresses_are_those_of_cognito(url, fine):
    """https, a custom scheme, or http on this machine (reference, §1.1 and §6.9)."""
    if fine:
        assert values.parse_callback_url(url) == url
    else:
        with pytest.raises(ValueError):
            values.parse_callback_url(url)


def test_addresses_to_listen_on():
    """Host and port, IPv6 in brackets."""
    assert values.parse_address("127.0.0.1:9464") == values.Address("127.0.0.1", 9464)
    assert values.parse_address("[::1]:9464") == values.Address("::1", 9464)
    for bad in ("9464", ":9464", "a:b", "127.0.0.1:99999", "::1:80", None):
        with pytest.raises(ValueError):
            values.parse_address(bad)


@pytest.mark.property
@given(st.one_of(st.text(), st.integers(), st.none(), st.booleans(), st.floats(), st.lists(st.text())))
def test_parsers_refuse_with_value_errors_only(value):
    """Whatever stands in the file, a parser takes it or raises ValueError."""
    for parse in (
        values.parse_duration, values.parse_size, values.parse_origin, values.parse_public_url, values.parse_web_url,
        values.parse_callback_url, values.parse_server, values.parse_path, values.parse_path_glob, values.parse_network,
        values.parse_host, values.parse_address, values.parse_secret, values.parse_sealing_secret,
    ):  # fmt: skip
        try:
            parse(value)
        except ValueError:
            continue


@pytest.mark.property
@given(st.from_regex(r"https?://[a-z.:/@\\\[\]%0-9\t ]{0,30}", fullmatch=True))
def test_an_accepted_origin_is_its_own_origin(text):
    """Parsing is idempotent: what is kept reads the same the second time."""
    try:
        origin = values.parse_origin(text)
    except ValueError:
        return
    assert values.parse_origin(origin) == origin
