"""Only top-level navigations are redirected."""

import pytest

from gateway.core.asgi import HeaderList
from gateway.core.navigation import Navigation, navigation, prefers_html

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


def lines(**headers: str) -> HeaderList:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", lines(sec_fetch_mode="navigate", sec_fetch_dest="document"), Navigation.REDIRECT),
        ("HEAD", lines(sec_fetch_mode="navigate", sec_fetch_dest="document"), Navigation.REDIRECT),
        ("GET", lines(sec_fetch_mode="navigate"), Navigation.REDIRECT),
        ("POST", lines(sec_fetch_mode="navigate", sec_fetch_dest="document"), Navigation.POST_PAGE),
        ("PUT", lines(sec_fetch_mode="navigate", sec_fetch_dest="document"), Navigation.API),
        ("GET", lines(sec_fetch_mode="navigate", sec_fetch_dest="iframe"), Navigation.FRAME),
        ("GET", lines(sec_fetch_mode="navigate", sec_fetch_dest="embed"), Navigation.FRAME),
        ("GET", lines(sec_fetch_mode="navigate", sec_fetch_dest="object"), Navigation.FRAME),
        ("POST", lines(sec_fetch_mode="navigate", sec_fetch_dest="iframe"), Navigation.FRAME),
        ("GET", lines(sec_fetch_mode="navigate", sec_fetch_dest="image"), Navigation.API),
        ("GET", lines(sec_fetch_mode="navigate", sec_fetch_dest="empty", accept=CHROME), Navigation.REDIRECT),
        ("POST", lines(sec_fetch_mode="navigate", sec_fetch_dest="empty", accept=CHROME), Navigation.POST_PAGE),
        ("GET", lines(sec_fetch_mode="cors", sec_fetch_dest="empty", accept=CHROME), Navigation.FRAGMENT),
        ("GET", lines(sec_fetch_mode="same-origin", sec_fetch_dest="empty", accept=CHROME), Navigation.FRAGMENT),
        ("DELETE", lines(sec_fetch_mode="same-origin", sec_fetch_dest="empty", accept=CHROME), Navigation.FRAGMENT),
        ("GET", lines(sec_fetch_mode="cors", sec_fetch_dest="empty", accept="*/*"), Navigation.API),
        ("GET", lines(sec_fetch_mode="cors", sec_fetch_dest="empty", accept="application/json"), Navigation.API),
        ("GET", lines(sec_fetch_mode="cors", accept="*/*", hx_request="true"), Navigation.FRAGMENT),
        ("POST", lines(accept="*/*", hx_request="true", x_requested_with="XMLHttpRequest"), Navigation.FRAGMENT),
        ("GET", lines(sec_fetch_mode="cors", sec_fetch_dest="manifest", accept=CHROME), Navigation.UNPROMPTED),
        ("GET", lines(sec_fetch_mode="navigate", sec_fetch_dest="manifest"), Navigation.UNPROMPTED),
        ("GET", lines(service_worker="script", sec_fetch_mode="same-origin", accept=CHROME), Navigation.UNPROMPTED),
        ("GET", lines(service_worker="script", accept=CHROME), Navigation.UNPROMPTED),
        ("GET", lines(sec_fetch_mode="no-cors", sec_fetch_dest="script", accept=CHROME), Navigation.API),
        ("GET", lines(sec_fetch_mode="websocket", sec_fetch_dest="empty"), Navigation.API),
        (
            "GET",
            lines(sec_purpose="prefetch;prerender", sec_fetch_mode="navigate", sec_fetch_dest="document"),
            Navigation.UNPROMPTED,
        ),
        ("GET", lines(purpose="prefetch", accept=CHROME), Navigation.UNPROMPTED),
        ("GET", lines(x_moz="prefetch", accept=CHROME), Navigation.UNPROMPTED),
        ("GET", lines(accept=CHROME), Navigation.REDIRECT),
        ("HEAD", lines(accept=CHROME), Navigation.REDIRECT),
        ("POST", lines(accept=CHROME), Navigation.POST_PAGE),
        ("DELETE", lines(accept=CHROME), Navigation.FRAGMENT),
        ("GET", lines(accept=CHROME, x_requested_with="XMLHttpRequest"), Navigation.FRAGMENT),
        ("GET", lines(accept=CHROME, x_requested_with="fetch"), Navigation.FRAGMENT),
        ("GET", lines(accept="*/*", x_requested_with="XMLHttpRequest"), Navigation.API),
        ("GET", lines(accept=CHROME, x_requested_with="com.example.app"), Navigation.REDIRECT),
        ("POST", lines(accept=CHROME, x_requested_with="org.mozilla.Browser_2"), Navigation.POST_PAGE),
        ("GET", lines(accept="*/*"), Navigation.API),
        ("GET", [], Navigation.API),
    ],
)
def test_the_navigation_table(method: str, headers: HeaderList, expected: Navigation) -> None:
    """Architecture, Only top-level navigations are redirected: each row of the paragraph."""
    assert navigation(method, headers) is expected


def test_repeated_metadata_is_no_navigation() -> None:
    """A17: two lines that contradict each other are neither the first nor the last of them."""
    twice = [*lines(sec_fetch_mode="navigate", accept=CHROME), (b"sec-fetch-mode", b"cors")]
    assert navigation("GET", twice) is Navigation.FRAGMENT


@pytest.mark.parametrize("kind", Navigation)
def test_only_programs_get_json(kind: Navigation) -> None:
    """Everybody else is refused with something to read."""
    assert kind.reads_html is (kind is not Navigation.API)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (CHROME, True),
        ("text/html", True),
        ("TEXT/HTML;Q=0.5", True),
        ("application/xhtml+xml", True),
        ("text/html, application/json", True),
        ("application/json, text/html", False),
        ("application/json;q=0.8, text/html;q=0.9", True),
        ("text/html;q=0.2, application/problem+json;q=0.3", False),
        ("text/html;level=1;q=0.5", True),
        ("text/html;q=0", False),
        ("text/html;q=x", False),
        ("text/html;q=1e999", False),
        ("text/html;q=\u0661", False),
        ("text/html;q=", False),
        ("application/json, */*", False),
        ("*/*", False),
        ("", False),
        (",;,q=1,;q=", False),
    ],
)
def test_html_must_be_asked_for_by_name(accept: str, expected: bool) -> None:  # noqa: FBT001
    """RFC 9110 §12.5.1 weights, read leniently: a wish that cannot be read is no wish."""
    assert prefers_html(accept) is expected
