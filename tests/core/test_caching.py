"""Who may keep a response that is for one person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.caching import (
    Spoken,
    for_one_person,
    is_for_caches,
    is_navigation,
    is_page_or_data,
    is_subresource,
)

NOW = 1_767_225_600  # 1 January 2026
MIDNIGHT = b"Thu, 01 Jan 2026 00:00:00 GMT"
LATER = b"Thu, 01 Jan 2026 00:01:00 GMT"


@pytest.mark.parametrize(
    ("spoken", "value", "lives"),
    [
        ({}, b"private", False),
        ({"cache_control": [b"public, max-age=60"]}, b"private, max-age=60", True),
        ({"cache_control": [b"PUBLIC", b"Max-Age=60"]}, b"private, Max-Age=60", True),
        ({"cache_control": [b"s-maxage=9"]}, b"private", False),
        ({"cache_control": [b'private="x", max-age=1']}, b"private, max-age=1", True),
        ({"cache_control": [b"no-store, max-age=1"]}, b"private, no-store, max-age=1", False),
        ({"cache_control": [b'no-cache="set-cookie"']}, b'private, no-cache="set-cookie"', False),
        ({"cache_control": [b""], "pragma": [b"no-cache"]}, b"private, no-cache", False),
        ({"pragma": [b"No-Cache"], "expires": [b"0"]}, b"private, max-age=0", True),
        ({"expires": [LATER], "date": [MIDNIGHT]}, b"private, max-age=60", True),
        ({"expires": [LATER]}, b"private, max-age=60", True),
        ({"expires": [MIDNIGHT], "date": [LATER]}, b"private, max-age=0", True),
        ({"expires": [LATER], "date": [b"yesterday"]}, b"private, max-age=60", True),
        ({"expires": [LATER], "cache_control": [b"max-age=5"]}, b"private, max-age=5", True),
        ({"expires": [LATER], "cache_control": [b"no-cache"]}, b"private, no-cache", False),
    ],
)
def test_a_response_for_one_person_says_so(spoken, value, lives):
    """U9, G3: `private` stands first, what opens a shared cache is gone, Expires counts from Date as `max-age`."""
    assert for_one_person(Spoken(**spoken), NOW, personal=False) == (value, lives)


@pytest.mark.parametrize(
    ("cache_control", "value"),
    [
        (b"", b"private, no-cache"),
        (b"public", b"private, no-cache"),
        (b"immutable", b"private, immutable, no-cache"),
        (b"max-age=9", b"private, max-age=9"),
        (b"max-age =9", b"private, max-age =9, no-cache"),
        (b'max-age="9"', b'private, max-age="9", no-cache'),
        (b"max-age", b"private, max-age, no-cache"),
        (b"stale-while-revalidate=9", b"private, stale-while-revalidate=9, no-cache"),
        (b"no-cache", b"private, no-cache"),
        (b'no-cache="x"', b'private, no-cache="x", no-cache'),
    ],
)
def test_a_page_without_a_lifetime_is_asked_for_anew(cache_control, value):
    """U10: browsers guess a lifetime where there is none, and would show a page after its user has signed out."""
    assert for_one_person(Spoken([cache_control]), NOW, personal=True).value == value


@pytest.mark.property
@given(st.lists(st.binary(max_size=40), max_size=3), st.binary(max_size=40), st.booleans())
def test_whatever_an_application_says_it_is_private(cache_control, expires, personal):
    """U9: no bytes make it fail, and a plain `private` always stands first."""
    said = for_one_person(Spoken(cache_control, [expires], [expires], [expires]), NOW, personal=personal)
    assert said.value.split(b", ")[0] == b"private"
    assert b"s-maxage" not in [piece.strip().lower() for piece in said.value.split(b",")]


@pytest.mark.parametrize(
    ("content_type", "is_one"),
    [
        (b"text/html", True),
        (b"Text/HTML; charset=utf-8", True),
        (b"application/xhtml+xml", True),
        (b"application/json", True),
        (b"application/problem+json;x=y", True),
        (b"application/x-ndjson", True),
        (b"text/vnd.turbo-stream.html", True),
        (b"text/css", False),
        (b"image/svg+xml", False),
        (b"", False),
    ],
)
def test_pages_and_data_are_known_by_their_type(content_type, is_one):
    """U10: HTML and JSON in all their flavours."""
    assert is_page_or_data(content_type) is is_one


@pytest.mark.parametrize(
    ("asked", "navigates", "picture"),
    [
        ([(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")], True, False),
        ([(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"empty")], True, False),
        ([(b"accept", b"text/html"), (b"sec-fetch-mode", b"cors"), (b"sec-fetch-dest", b"image")], False, True),
        ([(b"accept", b"text/html,*/*")], True, False),
        ([(b"accept", b"*/*")], False, False),
        ([], False, False),
    ],
)
def test_who_asks_is_known_by_fetch_metadata(asked, navigates, picture):
    """U10: a browser says what it fetches; an old one by what it accepts."""
    assert (is_navigation(asked), is_subresource(asked)) == (navigates, picture)


def test_lines_for_caches_are_known_by_name():
    """U9: also those that end like one."""
    assert is_for_caches(b"cache-control")
    assert is_for_caches(b"netlify-cdn-cache-control")
    assert not is_for_caches(b"cache-tag")
    assert not is_for_caches(b"x-accel-redirect")


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (b'private="set-cookie, x", max-age=60', b"private, max-age=60"),
        (b'no-cache="a, public", max-age=60', b'private, no-cache="a, public", max-age=60'),
        (b'x="a, max-age=60', b"private, no-cache"),
        (b'x="a\\\\", max-age=60', b'private, x="a\\\\", max-age=60'),
    ],
)
def test_a_comma_in_quotes_divides_nothing(said, value):
    """U9: RFC 9111 §5.2 lets a directive have a quoted list (`private="a, b"`); what stands in it is no directive."""
    assert for_one_person(Spoken([said]), 0, personal=True).value == value
