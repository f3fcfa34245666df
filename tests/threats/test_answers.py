"""What leaves the gateway: whose answer it is, who may keep it, and what stands in our own pages."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamTimeout
from tests.support.asgi import BROWSER, ask
from tests.support.tokens import LIFETIME
from tests.support.world import NAVIGATION, World

SESSION = "__Host-cg_session"


async def signed_in(world, **claims):
    world.provider.claims = claims
    visitor = world.visitor()
    await visitor.sign_in()
    return visitor


OUR_OWN = [
    (b"/", 302),
    (b"/admin/x", 302),
    (b"/closed/x", 403),
    (b"/%00", 400),
    (b"/oauth2/login", 302),
    (b"/oauth2/logout", 200),
    (b"/oauth2/callback", 400),
    (b"/oauth2/callback?error=access_denied&state=x", 400),
    (b"/livez", 200),
    (b"/readyz", 200),
]


@pytest.mark.parametrize(("target", "status"), OUR_OWN)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_no_answer_of_ours_is_kept_by_anybody(target, status, method):
    """G3: redirects, pages and probes carry `no-store`; pages run no script, are not framed, and are not sniffed."""
    answer = await ask(World().gateway, target, method=method)

    assert answer.status == status or method != "GET"
    assert answer.one("cache-control") == "no-store"
    assert answer.one("x-content-type-options") == "nosniff"
    assert answer.one("referrer-policy") == "no-referrer"
    if "text/html" in answer.one("content-type"):
        assert "default-src 'none'" in answer.one("content-security-policy")
        assert "script-src" not in answer.one("content-security-policy")
        assert answer.one("x-frame-options") == "DENY"


DIRECTIVES = st.sampled_from(
    [
        b"public",
        b"Public",
        b"private",
        b"no-store",
        b"no-cache",
        b"max-age=60",
        b"s-maxage=60",
        b"S-MaxAge=0",
        b'private="x"',
        b"immutable",
        b'no-cache="set-cookie"',
        b"must-revalidate",
        b"proxy-revalidate",
        b"stale-while-revalidate=9",
        b"",
        b"nonsense",
    ]
)
CACHE_LINES = st.lists(st.lists(DIRECTIVES, max_size=4).map(b", ".join), max_size=3)


def may_be_kept_by_all(lines):
    """RFC 9111 §3 for a shared cache and an answer to a request with cookies, strictly read."""
    directives = [part.strip().lower() for line in lines for part in line.split(",")]
    kept_out = "private" in directives or "no-store" in directives
    return not kept_out or "public" in directives or any(part.startswith("s-maxage") for part in directives)


@pytest.mark.property
@given(CACHE_LINES, st.sampled_from([b"cache-control", b"Cache-Control"]))
async def test_no_wording_leaves_a_personal_answer_to_a_shared_cache(lines, name):
    """G3: whatever the application says of caching, in one line or several, what needs a session stays private; the
    lines that only shared caches read are gone."""
    world = World()
    visitor = await signed_in(world)
    world.app.headers = [(name, line) for line in lines]
    world.app.headers += [
        (b"CDN-Cache-Control", b"max-age=9"),
        (b"surrogate-control", b"max-age=9"),
        (b"x-cdn-cache-control", b"x"),
    ]

    answer = await ask(world.gateway, headers=[*BROWSER, (b"cookie", f"{SESSION}={visitor.cookies[SESSION]}".encode())])

    said = {found.lower() for found, _ in answer.headers}
    values = [value.decode() for found, value in answer.headers if found.lower() == b"cache-control"]
    assert not may_be_kept_by_all(values), values
    assert not said & {b"cdn-cache-control", b"surrogate-control", b"x-cdn-cache-control"}


async def test_a_cookie_of_ours_never_rides_on_what_a_shared_cache_keeps():
    """G3: a public path whose visit refreshes a session: the answer with the cookie is private."""
    world = World()
    visitor = await signed_in(world)
    world.app.headers = [(b"cache-control", b"public, max-age=600")]
    world.now += LIFETIME + 1

    answer = await visitor.navigate("/public/x")

    assert any(line.startswith(SESSION) for line in answer.headers.get_list("set-cookie"))
    assert answer.headers["cache-control"] == "private, max-age=600"


MARKUP = st.text(st.sampled_from("<>\"'`&=/ ;:(){}%#\\\x00\n\u2028abcSCRIPTonerror-!"), min_size=1, max_size=60)
TAG = re.compile(
    r"<(?!/?(?:html|head|meta|title|style|body|main|h1|p|div|a|form|input|button)\b|!doctype html>)", re.IGNORECASE
)
EVENT = re.compile(r"<[^>]*\son\w+\s*=", re.IGNORECASE)
PAGES = World()


@pytest.mark.property
@given(MARKUP, st.sampled_from(["path", "query", "error", "description", "state", "return_to"]))
async def test_nothing_that_a_visitor_writes_becomes_markup(text, place):
    """H1, H2: markup in path, query, error texts and return addresses appears escaped on every page, or not at all."""
    encoded = "".join(f"%{byte:02x}" for byte in text.encode())
    target = {
        "path": f"/closed/{encoded}",
        "query": f"/closed/x?{encoded}",
        "error": f"/oauth2/callback?error={encoded}",
        "description": f"/oauth2/callback?error=access_denied&error_description={encoded}",
        "state": f"/oauth2/callback?error=access_denied&state={encoded}",
        "return_to": f"/oauth2/login?return_to={encoded}",
    }[place]

    answer = await ask(PAGES.gateway, target.encode())
    framed = await ask(
        PAGES.gateway,
        target.encode(),
        headers=[(b"host", b"app.test"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-dest", b"iframe")],
    )

    for page in (answer.body.decode(), framed.body.decode()):
        assert not TAG.search(page), page
        assert not EVENT.search(page), page
        assert "<script" not in page.lower()


async def test_pages_tell_no_token():
    """H3: no page of ours, signed in or not, holds a token, a code, a cookie or an e-mail address."""
    world = World()
    visitor = await signed_in(world)
    secrets = [*visitor.cookies.values(), "eyJ", "refresh-", "code-", "ada@example.com"]

    for path in (
        "/closed/x",
        "/oauth2/logout",
        "/oauth2/callback",
        "/%00",
        "/readyz",
        "/livez",
        "/oauth2/callback?error=server_error",
    ):
        answer = await visitor.navigate(path)
        assert not [secret for secret in secrets if secret in answer.text], path


@pytest.mark.property
@given(st.text(max_size=80), st.sampled_from(["GET", "P\nOST", 'G\r\n{"status":200}', "DELETE"]))
async def test_nobody_can_write_a_line_of_the_log(text, method):
    """H4: line breaks, quotes and control characters in paths, methods, cookies or agents stay inside one JSON line."""
    world = World()
    raw = text.encode("utf-8", "surrogatepass")
    target = b"/" + "".join(f"%{byte:02x}" for byte in raw).encode()
    headers = [*BROWSER, (b"user-agent", raw), (b"cookie", raw), (b"x-forwarded-for", raw)]

    await ask(world.gateway, target, method=method, headers=headers)

    lines = world.log.getvalue().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["status"] in {302, 400, 401}
    assert lines[0].isascii()


async def test_what_fails_after_the_answer_began_is_never_finished():
    """F9, F12: a failure in the middle of an answer reaches the server as an exception; nothing is appended."""

    async def breaks(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise UpstreamTimeout("the secret reason")

    with pytest.raises(UpstreamTimeout):
        await ask(World(app=breaks).gateway, b"/public/x")


@pytest.mark.parametrize("target", [b"/", b"/admin/x", b"/closed/x", b"/%00", b"/oauth2/logout", b"/oauth2/callback"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
async def test_after_a_refusal_the_application_hears_nothing(target, method):
    """F9, F10: once the gateway answers, the application does not run, with a body, an empty one, or none."""
    world = World()
    for body in (b"", b"a=b", b"x" * 100_000):
        answer = await ask(world.gateway, target, method=method, body=body)
        assert answer.status >= 200
        assert b"the application" not in answer.body
    assert world.app.seen == []


async def echo(scope, receive, send):
    """Answers with the e-mail address that it sees, after others had their turn."""
    for _ in range(7):
        await asyncio.sleep(0)
    email = dict(scope["headers"]).get(b"x-forwarded-email", b"nobody")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": email})


async def test_interleaved_answers_reach_the_one_who_asked():
    """G4: twenty people ask five times each at once: everybody gets their own answer, and no header of another's."""
    world = World(app=echo)
    people = [await signed_in(world, email=f"p{number}@example.com") for number in range(20)]

    answers = await asyncio.gather(*(person.navigate(f"/{n}") for n in range(5) for person in people))

    assert [answer.text for answer in answers] == [f"p{number}@example.com" for _ in range(5) for number in range(20)]


async def test_refreshes_of_two_people_at_once_are_two():
    """G1, G2: single flight is by session: two people whose tokens end at the same moment get one refresh each, and
    their own cookies."""
    world = World()
    one, two = await signed_in(world), await signed_in(world)
    before = {one.cookies[SESSION], two.cookies[SESSION]}
    world.now += LIFETIME + 1

    answers = await asyncio.gather(*(person.navigate("/") for person in (one, two) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert world.provider.refreshed == 2
    assert len({one.cookies[SESSION], two.cookies[SESSION]} - before) == 2
    used = [form["refresh_token"] for form in world.provider.grants if form["grant_type"] == "refresh_token"]
    assert len(set(used)) == 2


async def test_sign_out_during_a_refresh_leaves_no_session():
    """C11, G2: somebody signs out in one tab while another tab's request refreshes: no cookie opens anything after."""
    world = World()
    visitor = await signed_in(world)
    copy = visitor.cookies[SESSION]
    world.now += LIFETIME + 1
    other = world.visitor()
    other.client.cookies.set(SESSION, copy, domain="app.test")

    await asyncio.gather(
        other.navigate("/"),
        visitor.fetch("/oauth2/logout", "POST", headers={**NAVIGATION, "sec-fetch-site": "same-origin"}),
    )

    assert (await other.navigate("/")).status_code == 302
    assert (await world.visitor().navigate("/", cookie=f"{SESSION}={copy}")).status_code == 302


@pytest.mark.parametrize(
    "path",
    [
        b"/public",
        b"/public/",
        b"/publicity",
        b"/public.x",
        b"/xpublic/",
        b"/x/public/",
        b"/PUBLIC/x",
        b"/pub%6cic/x",
        b"/public%2fx",
        b"/public%252fx",
    ],
)
async def test_a_rule_s_edge_is_a_segment_s_edge(path):
    """E7, E9, Q2, Q1: `/public/**` opens `/public` and what is below it; nothing that only begins or ends like it, and
    nothing that some reader takes for another path."""
    world = World()

    answer = await ask(world.gateway, path)

    assert answer.status == (200 if path in {b"/public", b"/public/"} else 302)
