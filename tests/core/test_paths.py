"""The readings of a request path: one for plain paths, all plausible ones for the rest."""

import itertools
from contextlib import suppress
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.paths import (
    MAX_CHARACTERS,
    MAX_READINGS,
    canonical,
    is_plain,
    mounted_path,
    readings,
    readings_behind,
)
from gateway.errors import BadPath


@pytest.mark.parametrize("path", ["/", "/a", "/a/b/", "/a.b/c-d_e~f", "/@x:1,2=3!$&'()*+", "/a..b/c."])
def test_a_plain_path_has_one_reading(path: str) -> None:
    """What everybody reads alike is decided by one fast check."""
    assert is_plain(path.encode())
    assert readings(path.encode()) == (path,)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"/public/../admin", {"/public/../admin", "/admin"}),
        (b"/public/%2e%2e/admin", {"/public/%2E%2E/admin", "/public/../admin", "/admin"}),
        (b"/public/..%2fadmin", {"/public/..%2Fadmin", "/public/../admin", "/admin"}),
        (b"/public//../admin", {"/public//../admin", "/public/../admin", "/public/admin", "/admin"}),
        (b"/public/..;/admin", {"/public/..;/admin", "/public/../admin", "/admin"}),
        (b"/public/..;x=1/admin", {"/public/..;x=1/admin", "/public/../admin", "/admin"}),
        (b"/public\\..\\admin", {"/public\\..\\admin", "/public/../admin", "/admin"}),
        (b"/%70ublic", {"/%70ublic", "/public"}),
        (b"/PUBLIC%20", {"/PUBLIC%20", "/PUBLIC ", "/PUBLIC"}),
        (b"//admin", {"//admin", "/admin", "/"}),
        (b"/a/./b", {"/a/./b", "/a/b"}),
        (b"/a/b/..", {"/a/b/..", "/a/"}),
        (b"/a/b/.", {"/a/b/.", "/a/b/"}),
        (b"/.well-known/x", {"/.well-known/x"}),
        (b"/foo/secret%23/bar", {"/foo/secret%23/bar", "/foo/secret#/bar", "/foo/secret"}),
        (b"/foo/secret#/bar", {"/foo/secret#/bar", "/foo/secret"}),
        (b"/foo%3fx", {"/foo%3Fx", "/foo?x", "/foo"}),
        (b"/caf%c3%a9", {"/caf%C3%A9", "/caf\u00e9"}),
        (b"/caf\xc3\xa9", {"/caf\u00e9"}),
        (b"/100%25", {"/100%25", "/100%"}),
        (b"/api/group%2Fproject", {"/api/group%2Fproject", "/api/group/project"}),
    ],
)
def test_odd_paths_have_every_plausible_reading(raw: bytes, expected: set[str]) -> None:
    """E1-E4, Q1, O12: decoded, dots removed, parameters cut, backslashes turned, slashes merged, rest cut."""
    assert set(readings(raw)) == expected
    assert len(readings(raw)) == len(expected)


@pytest.mark.parametrize(
    "raw", [b"/public/%252e%252e/admin", b"/public/..%252fadmin", b"/public/..%255cadmin", b"/public/..%c0%afadmin"]
)
def test_double_and_overlong_encodings_reach_the_protected_path(raw: bytes) -> None:
    """Q1, E2: what a second decoder, or a decoder of the nineties, makes of the path is among its readings."""
    assert "/admin" in readings(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "does not start with a slash"),
        (b"*", "does not start with a slash"),
        (b"http://x/", "does not start with a slash"),
        (b"/a%", "invalid percent escape"),
        (b"/a%2", "invalid percent escape"),
        (b"/a%u002f", "invalid percent escape"),
        (b"/%zz", "invalid percent escape"),
        (b"/a\x00b", "control character"),
        (b"/a\tb", "control character"),
        (b"/a\x7fb", "control character"),
        (b"/a%00b", "control character"),
        (b"/a%0d%0ab", "control character"),
        (b"/a%2500b", "control character"),
        (b"/a%c0%80", "control character"),
        (b"/a%e0%80%80", "control character"),
        (b"/..", "climbs above the root"),
        (b"/a/../..", "climbs above the root"),
        (b"/a/..%2f..%2fetc/passwd", "climbs above the root"),
        (b"/%2e%2e/", "climbs above the root"),
        (b"/a/%252e%252e/..", "climbs above the root"),
        (b"/" + b";%2525a%255c//%23%3f./" * 700, "too many readings"),
    ],
)
def test_paths_without_a_safe_reading_are_refused(raw: bytes, message: str) -> None:
    """E1, E6: control characters, broken escapes and climbing paths are a 400, whatever the depth of encoding."""
    with pytest.raises(BadPath, match=message):
        readings(raw)


def test_encoded_dots_climb_although_nothing_else_is_decoded() -> None:
    """E1: the URL standard takes `%2e%2e` for a dot segment and leaves `%2F` as it is."""
    assert "/admin%2Fx" in readings(b"/public/%2e%2e/admin%2fx")


def test_escapes_deeper_than_two_are_not_followed() -> None:
    """Three encodings in a row are undone by nobody; the work stays bounded."""
    assert "/admin" not in readings(b"/public/..%25252fadmin")


@pytest.mark.parametrize(
    "raw",
    [
        b"//host/private",
        b"///host/private",
        b"/\\host/private",
        b"/\\\\host\\private",
        b"//user@host/private",
        b"//user:word@host:80/private",
        b"//[::1]:80/private",
        b"/%2Fhost/private",
        b"/%5chost/private",
        b"/%252fhost/private",
        b"//host%2Fprivate",
        b"//host/x/../private",
        b"//host%70rivate",
        b"//[::1]:80%70rivate",
        b"//user%41@host%70rivate",
        b"/.//host/private",
        b"/private%20",
        b"/\\%20private",
    ],
)
def test_a_host_before_the_path_hides_nothing(raw: bytes) -> None:
    """U3: Node's `new URL` and `url.parse`, PHP's `parse_url` and Python's `urlsplit` take a host away from what begins
    with two slashes, or with what they turn into slashes."""
    assert "/private" in readings(raw)


def test_two_slashes_after_the_first_segment_begin_no_host() -> None:
    """A whole address in a path stays where it is."""
    assert set(readings(b"/proxy/https://x/a")) == {"/proxy/https://x/a", "/proxy/https:/x/a"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/a/", "/a"),
        ("/A/b//", "/a/b"),
        ("/a.", "/a."),
        ("/caf%C3%89", "/caf%c3%89"),
        ("/CAF\u00c9", "/caf\u00e9"),
        ("/\u03a3\u03c3\u03c2", "/\u03c3\u03c3\u03c3"),
        ("/\u212a\u017f", "/ks"),
        ("/\u0130\u0131", "/ii"),
        ("/stra\u00dfe", "/stra\U000f00dfe"),
        ("/STRA\u1e9eE", "/stra\U000f00dfe"),
        ("/\u1f88", "/\U000f1f80"),
        ("/\udc80", "/\udc80"),
    ],
)
def test_the_canonical_form_has_small_letters_and_no_slash_at_its_end(text: str, expected: str) -> None:
    """U4: letters are folded one by one, as lenient routers compare them; a slash is only ever removed."""
    assert canonical(text) == expected
    assert canonical(text, fold=False) == (text.rstrip("/") or "/")


def test_folding_keeps_the_number_of_letters() -> None:
    """U4: simple folding, for every letter of the first two planes; what is folded is not folded further."""
    letters = [chr(code) for code in range(0x80, 0x20000)]
    folded = [canonical(f"/{letter}")[1:] for letter in letters]
    assert [letter for letter, form in zip(letters, folded, strict=True) if len(form) != 1] == []
    assert [form for form in folded if canonical(f"/{form}")[1:] != form] == []


def test_what_is_sent_without_its_prefix_has_its_own_readings() -> None:
    """U5: `/app//host/private` is sent as `//host/private`, which an upstream may take for `/private`."""
    assert "/app/private" in readings_behind(b"/app//host/private", "/app")
    assert "/app/private" not in readings(b"/app//host/private")
    assert readings_behind(b"/apple//host/private", "/app") == ()
    assert readings_behind(b"/app", "/app") == ()


@pytest.mark.parametrize(
    "piece", [b"a%2f", b"%252f", b"%25", b"%c0%af", b"%2e/", b"a%252f;x\\/", b"%c3%89", b"//a", b"a;b/%252e//\\%2f./"]
)
def test_long_odd_paths_are_read_within_bounds(piece: bytes) -> None:
    """U6: of a path as long as a request line may be, all readings together have a bounded number of characters."""
    raw = (b"/" + piece * 16_384)[:16_380].rpartition(piece)[0]
    with suppress(BadPath):
        assert sum(map(len, readings(raw))) <= MAX_CHARACTERS + len(raw)


DOTS = ["..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "..;", "..;a=b", "%2e%2e;", "..%3b"]
SLASHES = ["/", "%2f", "%2F", "%5c", "\\", "%252f", "%255c", "//", "/./", "/;/", "%c0%af"]


def test_generated_climbs_out_of_a_public_folder_are_seen() -> None:
    """E1, E2, Q1: whatever mix of separators and dot segments leads to /admin, /admin is among the readings."""
    for before, dots, after in itertools.product(SLASHES, DOTS, SLASHES):
        found = readings(f"/public/x{before}{dots}/..{after}admin".encode())
        assert any(reading in {"/admin", "//admin"} for reading in found), (before, dots, after)


PIECES = st.sampled_from(
    ["/", "//", "a", "admin", ".", "..", ";", ";v=1", "%2f", "%5c", "\\", "%2e", "%25", "%252e", "%3b", "#"]
)
PATHS = st.lists(PIECES, max_size=12).map(lambda pieces: ("/" + "".join(pieces)).encode())


@pytest.mark.property
@given(st.one_of(PATHS, st.binary(max_size=60).map(lambda tail: b"/" + tail)))
def test_every_path_is_read_or_refused(raw: bytes) -> None:
    """Any bytes give bounded, rooted, distinct readings, the raw one first, or BadPath: nothing else."""
    try:
        found = readings(raw)
    except BadPath:
        return
    assert 0 < len(found) <= MAX_READINGS + 8
    assert len(set(found)) == len(found)
    assert all(reading.startswith("/") for reading in found)
    assert found[0].casefold() == raw.decode("utf-8", "surrogateescape").casefold()


@pytest.mark.property
@given(PATHS)
def test_the_fast_check_agrees_with_the_long_way(raw: bytes) -> None:
    """A path that is plain has no second reading, and each reading's decoded form is a reading too."""
    try:
        found = readings(raw)
    except BadPath:
        return
    if is_plain(raw):
        assert found == (raw.decode(),)
    assert unquote(found[0]) in found


@pytest.mark.parametrize("blank", ["\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u3000", "\ufeff"])
def test_every_blank_at_the_end_may_be_left_out(blank):
    """E1: `trim` and `strip` of applications take away every blank of Unicode, not the space alone."""
    assert "/private" in readings(f"/private{quote(blank)}".encode())
    assert "/private" in readings(f"//host/private{blank}".encode())


@pytest.mark.parametrize(
    ("path", "root", "inner"),
    [
        ("/api/admin", "/api", b"/admin"),
        ("/api/admin", "/api/", b"/admin"),
        ("/api//admin", "/api", b"//admin"),
        ("/api", "/api", b"/"),
        ("/api/a b;%2f", "/api", b"/a%20b%3B%252f"),
        ("/other", "/api", None),
    ],
)
def test_what_is_behind_a_root_path(path, root, inner):
    """U12: an application that is mounted below a path routes by what is behind it."""
    assert mounted_path(path, root) == inner
