"""The sample application: each address answers what tests and benchmarks rely on, and the page gives nothing away."""

import base64
import hashlib
import re

import httpx
import pytest

from gateway.demo import page
from gateway.demo.sample import sample_app
from gateway.server import running

pytestmark = pytest.mark.network


@pytest.fixture
async def http():
    """A client of the application on a real server: streams must not be buffered."""
    async with (
        running(sample_app) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
    ):
        yield client


async def test_the_page_greets_by_name_and_address(http):
    """Name and e-mail come from headers; percent-encoded text is decoded for the eye."""
    answer = await http.get(
        "/",
        headers={
            "x-forwarded-name": "Ada K%C3%B6nig",
            "x-forwarded-email": "ada@example.com",
            "x-forwarded-user": "u1",
        },
    )
    assert "<h1>Welcome, Ada König</h1>" in answer.text
    assert '<p class="mail">ada@example.com</p>' in answer.text
    assert '<form method="post" action="/oauth2/logout"><button type="submit">Sign out</button></form>' in answer.text
    assert answer.headers["cache-control"] == "private, no-store"


async def test_the_page_without_a_gateway_says_so(http):
    """Asked for directly, it knows nobody and offers no way to sign out."""
    answer = await http.get("/")
    assert "Welcome, stranger" in answer.text
    assert "<form" not in answer.text


async def test_the_page_cannot_be_scripted(http):
    """H1, R14: a name that is markup stays text, and the policy allows no script at all."""
    answer = await http.get(
        "/", headers={"x-forwarded-name": "<script>alert(1)</script>", "x-forwarded-x": "</dd><script>"}
    )
    assert "<script" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy


async def test_the_page_shows_no_token(http):
    """H3: tokens that an operator forwards reach the application and not its page."""
    token = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"
    answer = await http.get(
        "/", headers={"x-forwarded-access-token": token, "x-amzn-oidc-data": token, "authorization": token}
    )
    assert token not in answer.text
    assert f"({len(token)} characters, not shown)" in answer.text


def test_the_style_is_the_one_that_the_policy_allows():
    """The hash in the policy is that of the style element."""
    style = re.search(rb"<style>(.*?)</style>", page.render([]), re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1]).digest())
    assert b"'sha256-" + digest + b"'" in dict(page.HEADERS)[b"content-security-policy"]


async def test_headers_come_back_in_order_with_repeats(http):
    """A list of pairs, since a dict would hide what tests look for."""
    answer = await http.get("/headers", headers=[("x-b", "1"), ("x-a", "2"), ("x-b", "3")])
    assert [pair for pair in answer.json() if pair[0].startswith("x-")] == [["x-b", "1"], ["x-a", "2"], ["x-b", "3"]]


async def test_cookies_come_back_as_pairs(http):
    """In order, with repeats, also those without a value."""
    answer = await http.get("/cookies", headers=[("cookie", "a=1; b; a=2=3")])
    assert answer.json() == [["a", "1"], ["b", ""], ["a", "2=3"]]


async def test_echo_and_upload_digest_the_body(http):
    """Method, path, raw path, query, size and SHA-256."""
    body = b"x" * 300_000
    answer = await http.put("/echo?q=%2f", content=body)
    digest = hashlib.sha256(body).hexdigest()
    assert answer.json() == {
        "method": "PUT", "path": "/echo", "raw_path": "/echo", "query": "q=%2f", "body_size": 300_000,
        "body_sha256": digest,
    }  # fmt: skip
    assert (await http.post("/upload", content=body)).json() == {"size": 300_000, "sha256": digest}


async def test_streams_have_the_size_asked_for(http):
    """In chunks of the size asked for, the last one shorter."""
    answer = await http.get("/stream?size=100000&chunk=4096")
    assert len(answer.content) == 100_000
    assert answer.headers["transfer-encoding"] == "chunked"
    assert (await http.get("/stream?size=0")).content == b""
    assert (await http.head("/stream?size=5")).content == b""


async def test_slow_and_sse(http):
    """A wait, and events one after another."""
    assert (await http.get("/slow?seconds=0.01")).text == "waited 0.01 s\n"
    answer = await http.get("/sse?count=2&interval=0.01")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text == "id: 1\ndata: tick 1\n\nid: 2\ndata: tick 2\n\n"


@pytest.mark.parametrize("code", [200, 204, 205, 304, 404, 418, 503, 599])
async def test_status_answers_with_the_code(http, code):
    """Any final status, without a body where HTTP has none."""
    answer = await http.get(f"/status/{code}")
    assert answer.status_code == code
    assert answer.text == ("" if code in {204, 205, 304} else f"status {code}\n")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/status/99", 400, "a status is a number from 200 to 599\n"),
        ("/status/abc", 400, "a status is a number from 200 to 599\n"),
        ("/status/20000000", 400, "a status is a number from 200 to 599\n"),
        ("/slow?seconds=nan", 400, "seconds is not between 0 and 3600\n"),
        ("/slow?seconds=soon", 400, "seconds is not a number\n"),
        ("/stream?size=-1", 400, "size is not between 0 and 1.71799e+10\n"),
        ("/nothing", 404, "There is nothing here.\n"),
    ],
)
async def test_bad_questions(http, path, status, text):
    """A short text, never a traceback."""
    answer = await http.get(path)
    assert (answer.status_code, answer.text) == (status, text)
