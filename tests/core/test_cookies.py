"""Cookies: written as browsers take them, read whatever comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.cookies import (
    MAX_CANDIDATES,
    MAX_COOKIES,
    MAX_PAIR,
    MAX_PARTS,
    CookieSpec,
    RequestCookies,
    expire,
    part_names,
    split,
    write,
)
from gateway.core.own_cookies import sets_own, without_own
from tests.support.sessions import Jar

HOST = CookieSpec("__Host-cg_session")


def test_a_cookie_is_written_with_its_attributes():
    """HttpOnly, Secure, SameSite and Path are always said; the age in seconds."""
    assert write(HOST, "abc", 3600) == (b"__Host-cg_session=abc; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax")


def test_a_cookie_without_age_lasts_as_long_as_the_browser():
    """None writes no Max-Age; a domain and a path are said."""
    spec = CookieSpec("cg", path="/oauth2", domain="example.com", secure=False, same_site="Strict")
    assert write(spec, "abc", None) == b"cg=abc; Path=/oauth2; Domain=example.com; HttpOnly; SameSite=Strict"


def test_expiring_says_secure_path_and_domain():
    """C10, O14: a `__Host-` or `__Secure-` cookie is removed only by a line with Secure and its Path and Domain."""
    assert expire(HOST) == (
        b"__Host-cg_session=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly; SameSite=Lax"
    )
    assert expire(CookieSpec("__Secure-cg", domain="example.com")) == (
        b"__Secure-cg=; Path=/; Domain=example.com; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
        b"Secure; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "its name must be a token (RFC 9110 §5.6.2)"),
        ({"name": "a b"}, "its name must be a token (RFC 9110 §5.6.2)"),
        ({"name": "a="}, "its name must be a token (RFC 9110 §5.6.2)"),
        ({"name": "é"}, "its name must be a token (RFC 9110 §5.6.2)"),
        ({"path": "x"}, "its path must be a plain path"),
        ({"path": "/;x"}, "its path must be a plain path"),
        ({"path": "/\r\nx"}, "its path must be a plain path"),
        ({"domain": "a;b"}, "its domain must be a host name"),
        ({"same_site": "lax"}, "SameSite is Strict, Lax or None"),
        ({"same_site": "None", "secure": False}, "SameSite=None needs Secure"),
        ({"name": "__Secure-a", "secure": False}, "its prefix needs Secure"),
        ({"name": "__Host-a", "secure": False}, "its prefix needs Secure"),
        ({"name": "__Host-a", "path": "/x"}, "__Host- needs Path=/ and no domain"),
        ({"name": "__Host-a", "domain": "example.com"}, "__Host- needs Path=/ and no domain"),
    ],
)
def test_a_cookie_that_browsers_refuse_is_refused(changes, problem):
    """A name, path, domain or prefix that would make browsers drop the cookie silently is an error at once."""
    with pytest.raises(ValueError) as caught:
        CookieSpec(**{"name": "cg", **changes})
    assert str(caught.value) == f"cookie {changes.get('name', 'cg')!r}: {problem}"


@pytest.mark.parametrize("value", ["a;b", "a b", 'a"', "a,b", "a\\b", "a\r\nb", "é", "a\x00"])
@pytest.mark.parametrize("size", [1, MAX_PAIR])
def test_a_value_that_a_cookie_cannot_carry_is_refused(value, size):
    """No value adds an attribute or a line to a Set-Cookie, in one cookie or in parts."""
    with pytest.raises(ValueError, match=r"^a cookie value must be cookie-octets"):
        split(HOST, value * size, None, ())


def test_values_come_in_their_order():
    """All values of a name, over all header lines, first to last; other names do not count."""
    headers = [b"a=1; b=2; a=3", b"aa=4;a=5", b"A=6"]
    assert RequestCookies(headers).values("a") == ["1", "3", "5"]
    assert list(RequestCookies(headers).names()) == ["a", "b", "aa", "A"]


@pytest.mark.parametrize("before", [b"a=b s=", b"a=b\ts=", b"a=b,s=", b"a=b, s=", b"xs=", b"a=;=s=", b"a= s="])
def test_a_cookie_is_what_stands_between_semicolons(before):
    """U1: a name within another cookie's value, after a space or a comma, is no cookie; quotes protect no semicolon."""
    assert RequestCookies([before + b"1"]).values("s") == []
    assert RequestCookies([b'a="b;s=1;c"']).values("s") == ["1"]


def test_cookies_are_read_up_to_a_number():
    """U2: of a flood over any number of lines the first cookies are read, and of each name the first values."""
    flood = b";".join(b"a%d=1" % number for number in range(MAX_COOKIES))
    assert len(RequestCookies([flood + b";late=1", b"later=1"]).names()) == MAX_COOKIES
    assert RequestCookies([b"s=1;" * MAX_COOKIES]).values("s") == ["1"] * MAX_CANDIDATES
    assert RequestCookies([b";" * MAX_COOKIES, b"s=1"]).values("s") == []


def test_cookies_are_read_once():
    """U2: the lines are taken apart when the first one asks, and not again."""
    lines = [b"s=1"]
    found = RequestCookies(lines)
    lines[0] = b"s=2"
    assert found.values("s") == ["2"]
    lines[0] = b"s=3"
    assert found.values("s") == ["2"]
    assert found
    assert not RequestCookies([])


@pytest.mark.parametrize("name", ["a.c", "a*c", "a|b", "$a^", "a+"])
def test_names_are_no_patterns(name):
    """Q12: a cookie name with regular-expression characters means itself."""
    spec = CookieSpec(name)
    assert RequestCookies([f"abc=1; aac=2; aa=3; a=4; {name}=5".encode()]).values(name) == ["5"]
    jar = Jar().take(split(spec, "v" * 6000, None, ()))
    assert RequestCookies([b"abc.1=2.x; abc.2=y; " + jar.header[0]]).join(name) == ["v" * 6000]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"=;;a",
        b";",
        b"=",
        b"a",
        b"a=b=c",
        b" ; ; =x",
        b"\xff\xfe=\x00;\x80",
        b"a=" * 4000,
        b";" * 8192,
        b"x" * 8192,
    ],
)
def test_crafted_headers_never_crash(header):
    """C8 (mod_auth_openidc CVE-2023-28625): nameless, empty, doubled, binary and long cookies are read without harm."""
    list(RequestCookies([header, header]).names())
    assert RequestCookies([header]).values("__Host-cg_session") == []
    assert RequestCookies([header]).join("__Host-cg_session") == []
    assert RequestCookies([header]).family("__Host-cg_session") == []
    assert without_own(header) == header
    assert b"cg_" not in without_own(header + b";cg_idle=1;" + header)


@pytest.mark.property
@given(st.binary(max_size=200))
def test_no_header_crashes(header):
    """C8: any bytes are read and stripped; nothing owned is left."""
    RequestCookies([header]).join("cg_")
    list(RequestCookies([header]).names())
    left = without_own(header + b"; cg_idle=1; y=2")
    assert "cg_idle" not in RequestCookies([left]).names()
    assert left.endswith(b"y=2")


OURS = [
    "session",
    "session.1",
    "idle",
    "signins",
    "bind_aB3-",
    "return_0",
    "return_12",
    "payroll_session",
    "x1_bind_____",
]
THEIRS = [
    "x",
    "",
    "sessions",
    "session_id",
    "session.x",
    "session.11",
    "idle2",
    "bind_",
    "bind_abc",
    "bind_abcde",
    "return_",
    "return_home",
    "a-b_session",
    "Session",
]


@pytest.mark.parametrize("prefix", ["", "__Host-", "__Secure-"])
def test_only_our_own_cookies_are_left_out(prefix):
    """U7: our exact names and families never reach an application, nor does it set them; what merely begins like one of
    them does, in order."""
    ours = [f"{prefix}cg_{name}".encode() for name in OURS]
    theirs = [f"{prefix}cg_{name}".encode() for name in THEIRS]

    assert [name for name in ours if not sets_own(name + b"=1; Path=/")] == []
    assert [name for name in theirs if sets_own(name + b"=1; Path=/")] == []
    mixed = [cookie + b"=1" for pair in zip(ours, theirs, strict=False) for cookie in pair]
    assert without_own(b"; ".join(mixed)) == b"; ".join(name + b"=1" for name in theirs[: len(ours)])


def test_own_cookies_are_left_out_whatever_stands_round_them():
    """The application's cookies pass, in order; ours do not."""
    header = b"a=1; __Host-cg_session=x;cg_bind_ab12=y; b=2;  __Secure-cg_idle=3; xcg_idle=4;\tcg_idle\t= 5"
    assert without_own(header) == b"a=1; b=2; xcg_idle=4"
    assert without_own(b"__Host-cg_session=x") == b""
    assert without_own(b"cg_session") == b""


def test_a_header_without_owned_cookies_is_not_touched():
    """The usual case returns the same object: odd spacing of the application's own cookies is its business."""
    header = b"a=1;b=2 ;; c"
    assert without_own(header) is header


@pytest.mark.property
@given(st.integers(0, MAX_PARTS * 4000), st.integers(1, 40))
def test_join_undoes_split(size, name_size):
    """Whatever the size, what a browser keeps joins to the value; no cookie is over 4,096 bytes."""
    spec = CookieSpec("n" * name_size)
    value = "".join(chr(65 + at % 26) for at in range(size))
    lines = split(spec, value, 60, ())
    jar = Jar().take(lines)
    assert RequestCookies(jar.header).join(spec.name) == [value]
    assert all(len(line.partition(b";")[0]) - 1 <= MAX_PAIR for line in lines)
    assert jar.names == part_names(spec.name, size) == RequestCookies(jar.header).family(spec.name)


@pytest.mark.parametrize("count", range(2, MAX_PARTS + 1))
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_exact_multiples_of_a_part_join(count, extra):
    """C7: a value of exactly n full parts, one less and one more come back (mod_auth_openidc's login loop)."""
    room = MAX_PAIR - len(HOST.name) - 4
    size = count * room + extra
    if size > MAX_PARTS * room:
        with pytest.raises(ValueError, match=r"^the value is too large for cookies$"):
            split(HOST, "v" * size, None, ())
        return
    lines = split(HOST, "v" * size, None, ())
    assert len(lines) == (count if extra <= 0 else count + 1)
    assert RequestCookies(Jar().take(lines).header).join(HOST.name) == ["v" * size]


def test_the_largest_single_cookie_is_4096_bytes():
    """Name and value of 4,096 bytes are one cookie; one more makes two."""
    assert len(split(HOST, "v" * (4096 - len(HOST.name)), None, ())) == 1
    assert len(split(HOST, "v" * (4097 - len(HOST.name)), None, ())) == 2


def test_stale_parts_are_expired():
    """C7: a session that shrank, grew or changed its number of parts leaves no old part beside the new."""
    jar = Jar().take(split(HOST, "a" * 10_000, 60, ()))
    assert len(jar.names) == 3
    jar.take(split(HOST, "b" * 5000, 60, jar.names))
    assert RequestCookies(jar.header).join(HOST.name) == ["b" * 5000]
    jar.take(split(HOST, "c", 60, jar.names))
    assert jar.names == [HOST.name]
    jar.take(split(HOST, "d" * 5000, 60, jar.names))
    assert RequestCookies(jar.header).join(HOST.name) == ["d" * 5000]


def test_only_cookies_that_are_there_are_expired():
    """C7: the number of Set-Cookie lines follows from what the browser has, and never exceeds the family."""
    crowd = [HOST.name, *(f"{HOST.name}.{number}" for number in range(1, 1000))]
    assert len(split(HOST, "v", 60, crowd)) == 1 + MAX_PARTS
    assert len(split(HOST, "v", 60, ["other"])) == 1


@pytest.mark.parametrize(
    "header",
    [
        b"s.1=99999999999.a; s.2=b",
        b"s.1=2000000000.a; s.2=b",
        b"s.1=-1.a; s.2=b",
        b"s.1=0.a",
        b"s.1=1.a",
        b"s.1=02.a; s.2=b",
        b"s.1=7.a; s.2=b; s.3=c; s.4=d; s.5=e; s.6=f; s.7=g",
        b"s.1=\xb2.a; s.2=b",
        b"s.1=a; s.2=b",
        b"s.1=; s.2=b",
        b"s.2=b",
        b"s.1=3.a; s.2=b",
        b"s.1=3.a; s.3=c",
    ],
)
def test_wrong_counts_and_missing_parts_join_nothing(header):
    """C7 (CVE-2024-24814): a count beyond reason costs nothing; a missing part makes no value."""
    assert RequestCookies([header]).join("s") == []


def test_surplus_and_doubled_parts_do_not_count():
    """C7: parts after the last are ignored; of parts of one name the first counts."""
    assert RequestCookies([b"s.1=2.a; s.2=b; s.3=c; s.2=x; s.1=3.y"]).join("s") == ["ab"]


def test_whole_values_come_before_joined_ones():
    """A value in one piece is looked at first, then the joined parts; both at most a few times."""
    assert RequestCookies([b"s.2=b; s=w; s.1=2.a"]).join("s") == ["w", "ab"]
    assert RequestCookies([b"; ".join([b"s=w"] * 1000)]).join("s") == ["w"] * MAX_CANDIDATES
