"""What an application's response may say: to browsers about our cookies, and to caches about whose it is."""

import pytest

from gateway.web.answer_headers import application_headers, uncached_headers
from tests.support.tokens import NOW

SCRIPT = [(b"sec-fetch-mode", b"cors"), (b"sec-fetch-dest", b"empty")]
IMAGE = [(b"sec-fetch-mode", b"no-cors"), (b"sec-fetch-dest", b"image")]
NAVIGATION = [(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"document")]
HTML = (b"content-type", b"text/html; charset=utf-8")
PICTURE = (b"Content-Type", b"image/png")


@pytest.mark.parametrize("name", [b"set-cookie", b"Set-Cookie"])
def test_answers_cannot_write_our_cookies(name: bytes) -> None:
    """C6: Set-Cookie lines that a browser would store under a name of ours are dropped; all others pass, in order."""
    ours = [
        b"__Host-cg_session=x",
        b" cg_bind_AAAA=x",
        b"__Secure-cg_return_0=; Max-Age=0",
        b"=cg_session=x",
        b"cg_idle",
    ]
    theirs = [
        (name, b"a=1"),
        (b"location", b"cg_session=x"),
        (b"x-cookie-nm", b"cg_session=x"),
        (name, b"x-cg_session=1"),
    ]
    assert application_headers([*((name, value) for value in ours), *theirs], None, NOW) == theirs


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b'"cookies"', None),
        (b'"*"', b'"cache"'),
        (b'"storage"', None),
        (b'"cache"', b'"cache"'),
        (b'"cache", "cookies", "storage"', b'"cache"'),
        (b' "cookies" , "executionContexts","cache" ', b'"executionContexts", "cache"'),
        (b'"*", "cache"', b'"cache"'),
        (b"cookies", None),
        (b'"Cookies"', None),
        (b'"new-thing"', None),
        (b'"cache", "cookies', b'"cache"'),
    ],
)
@pytest.mark.parametrize("name", [b"clear-site-data", b"Clear-Site-Data"])
def test_an_application_clears_no_cookie_of_ours(name: bytes, given: bytes, kept: bytes | None) -> None:
    """U8: Clear-Site-Data loses what removes cookies; that the cache is cleared is the application's right."""
    for _ in range(2):  # a name is learned the first time
        assert application_headers([(name, given)], None, NOW) == ([(name, kept)] if kept else [])
        assert (name, given) not in uncached_headers([(name, given)]) or kept == given


@pytest.mark.parametrize(
    "name",
    [
        b"X-Accel-Expires",
        b"Edge-Control",
        b"Surrogate-Control",
        b"CDN-Cache-Control",
        b"Cloudflare-CDN-Cache-Control",
        b"X-LiteSpeed-Cache-Control",
        b"Expires",
        b"Pragma",
    ],
)
def test_lines_for_shared_caches_do_not_leave_with_one_person_s_response(name: bytes) -> None:
    """U9: caches that know one of these lines would keep a private response for everybody."""
    lines = [HTML, (name, b"60"), (name.lower(), b"60")]
    assert {found.lower() for found, _ in application_headers(lines, NAVIGATION, NOW)} <= {
        b"content-type",
        b"cache-control",
        b"vary",
    }
    assert application_headers(lines, None, NOW) == lines
    assert uncached_headers(lines) == [HTML, (b"cache-control", b"no-store")]


@pytest.mark.parametrize(
    ("lines", "asked", "control", "varies"),
    [
        ([HTML], NAVIGATION, b"private, no-cache", False),
        ([HTML], SCRIPT, b"private, no-cache", False),
        ([(b"content-type", b"application/json")], SCRIPT, b"private, no-cache", False),
        ([(b"content-type", b"application/pdf")], NAVIGATION, b"private, no-cache", False),
        ([(b"content-type", b"application/pdf")], SCRIPT, b"private", False),
        ([(b"CONTENT-TYPE", b"text/html")], SCRIPT, b"private, no-cache", False),
        ([PICTURE], IMAGE, b"private", False),
        ([], NAVIGATION, b"private, no-cache", False),
        ([], SCRIPT, b"private, no-cache", False),
        ([], IMAGE, b"private", False),
        ([HTML, (b"cache-control", b"max-age=60")], NAVIGATION, b"private, max-age=60", True),
        ([HTML, (b"cache-control", b"max-age=60")], SCRIPT, b"private, max-age=60", False),
        ([HTML, (b"cache-control", b"no-store")], NAVIGATION, b"private, no-store", False),
        ([HTML, (b"cache-control", b"must-revalidate")], NAVIGATION, b"private, must-revalidate, no-cache", False),
        (
            [PICTURE, (b"Cache-Control", b"public, max-age=60, immutable")],
            IMAGE,
            b"private, max-age=60, immutable",
            False,
        ),
        ([PICTURE, (b"expires", b"x")], IMAGE, b"private, max-age=0", False),
    ],
)
def test_the_browser_s_cache_keeps_what_the_application_says(lines, asked, control, varies) -> None:
    """U10: pages and data without a lifetime are asked for anew; what a navigation fetched, with a lifetime, belongs to
    the cookies that it came with; the lifetime of other resources is the application's matter."""
    for _ in range(2):
        sent = application_headers(lines, asked, NOW)
        assert [value for name, value in sent if name == b"cache-control"] == [control]
        assert ((b"vary", b"Cookie") in sent) is varies
