"""Who is redirected, who gets a page and who gets JSON, as browsers and their libraries really ask."""

import pytest

from tests.support.world import NAVIGATION, World

CHROME = NAVIGATION["accept"]
TURBO = {
    "accept": "text/html, application/xhtml+xml",
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
    "sec-fetch-site": "same-origin",
}
HTMX = {**TURBO, "accept": "*/*", "hx-request": "true"}


@pytest.mark.parametrize("path", ["/", "/reports?year=2026"])
async def test_a_navigation_that_a_service_worker_passes_on_is_redirected(path):
    """V2: `respondWith(fetch(event.request))` sends `navigate` with the destination `empty`: a person waits behind it,
    who must never see JSON in place of a page."""
    answer = await World().visitor().navigate(path, **{"sec-fetch-dest": "empty"})

    assert answer.status_code == 302


async def test_a_form_that_a_service_worker_passes_on_gets_the_page_that_explains():
    """V2: a POST is not redirected away, and its 401 is a page."""
    answer = (
        await World().visitor().fetch("/", "POST", headers={**NAVIGATION, "sec-fetch-dest": "empty"}, data={"a": "b"})
    )

    assert answer.status_code == 401
    assert "was not delivered" in answer.text


async def test_a_refusal_behind_a_service_worker_is_a_page():
    """V2: what the rules refuse is refused with a page as well."""
    visitor = World().visitor()
    await visitor.sign_in()

    answer = await visitor.navigate("/closed/x", **{"sec-fetch-dest": "empty"})

    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")


async def test_signing_out_behind_a_service_worker_leads_to_the_provider():
    """V2: the sign-out button of an application with a service worker ends at the provider, not on JSON."""
    visitor = World().visitor()
    await visitor.sign_in()

    answer = await visitor.fetch(
        "/oauth2/logout", "POST", headers={**NAVIGATION, "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"}
    )

    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("headers", "link"),
    [
        (TURBO, "/oauth2/login?return_to=/reports%3Fyear%3D2026"),
        ({**TURBO, "turbo-frame": "messages"}, "/oauth2/login?return_to=/"),
        (HTMX, "/oauth2/login?return_to=/"),
        ({**HTMX, "hx-boosted": "true"}, "/oauth2/login?return_to=/reports%3Fyear%3D2026"),
        ({**TURBO, "sec-fetch-mode": "same-origin"}, "/oauth2/login?return_to=/reports%3Fyear%3D2026"),
        ({"accept": CHROME, "x-requested-with": "XMLHttpRequest"}, "/oauth2/login?return_to=/reports%3Fyear%3D2026"),
    ],
)
async def test_a_script_that_shows_html_gets_a_page_with_a_link(headers, link):
    """V2: Turbo, htmx and a worker's own fetch show the 401 to a person: it is a page whose link starts the sign-in at
    the top, and returns to the page, not to a part of it."""
    answer = await World().visitor().fetch("/reports?year=2026", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert f'href="{link}" target="_top"' in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {**TURBO, "accept": "application/json"},
        {**TURBO, "accept": "*/*"},
        {**NAVIGATION, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"accept": "*/*", "x-requested-with": "XMLHttpRequest"},
    ],
)
async def test_a_script_that_reads_json_gets_json(headers):
    """Who does not ask for HTML by name gets JSON, as before."""
    answer = await World().visitor().fetch("/", headers=headers)

    assert answer.status_code == 401
    assert answer.json()["login_url"] == "https://app.test/oauth2/login"


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "*/*", "sec-fetch-mode": "cors", "sec-fetch-dest": "manifest"},
        {"accept": CHROME, "sec-fetch-mode": "cors", "sec-fetch-dest": "manifest"},
        {
            "accept": "*/*",
            "sec-fetch-mode": "same-origin",
            "sec-fetch-dest": "serviceworker",
            "service-worker": "script",
        },
        {"accept": CHROME, "service-worker": "script"},
        {**NAVIGATION, "service-worker": "script"},
    ],
)
@pytest.mark.parametrize("path", ["/app.webmanifest", "/oauth2/login"])
async def test_what_the_browser_fetches_by_itself_starts_no_sign_in(headers, path):
    """V2: manifests and workers' scripts are fetched behind the person's back: 401, no flow, no cookie."""
    visitor = World().visitor()

    answer = await visitor.fetch(path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers.get_list("set-cookie") == []


async def test_an_android_web_view_is_a_browser():
    """`X-Requested-With: com.example.app` is how an Android web view names its app: its navigations are redirected."""
    answer = await World().visitor().fetch("/", headers={"accept": CHROME, "x-requested-with": "com.example.app"})

    assert answer.status_code == 302


@pytest.mark.parametrize("headers", [{}, NAVIGATION, {**NAVIGATION, "sec-fetch-dest": "iframe"}, TURBO, HTMX,
                                     {"sec-purpose": "prefetch"}])  # fmt: skip
async def test_every_401_carries_a_challenge(headers):
    """RFC 9110 §15.5.2: a 401 has WWW-Authenticate, whatever its form."""
    answer = await World().visitor().fetch("/", "POST", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_script_that_shows_html_finishes_its_sign_out_by_a_link():
    """A script cannot follow a redirect to the provider: it gets a page whose link goes there at the top."""
    visitor = World().visitor()
    await visitor.sign_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", headers=TURBO)

    assert answer.status_code == 200
    assert 'href="https://my-app.auth.eu-west-1.amazoncognito.com/logout?' in answer.text
    assert 'target="_top"' in answer.text
    assert "__Host-cg_session" not in visitor.cookies
