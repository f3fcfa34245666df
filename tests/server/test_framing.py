"""Messages that two readers could read in two ways, byte for byte through real sockets."""

import asyncio
import itertools

import pytest

from gateway.server import Limits, running
from tests.support.raw_http import Recorder, head, status, statuses, talk

pytestmark = pytest.mark.network
POST = b"POST / HTTP/1.1\r\nHost: h\r\n"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


async def refusal(*pieces: bytes) -> int:
    """The one status of the answer; nothing may have reached the application."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, *pieces)
    assert not app.reached, app.requests
    assert head(said)[b"connection"] == b"close"
    [only] = statuses(said)
    return only


CODINGS = [
    b"chunked",
    b"Chunked",
    b"xchunked",
    b"chunked, chunked",
    b"gzip, chunked",
    b",chunked",
    b"identity",
    b"\x0bchunked",
]
UNKNOWN = [b"xchunked", b"gzip, chunked", b"identity"]
LENGTHS = [b"+5", b"-5", b"0x5", b"5_0", b"5,5", b"5 5", b"5.0", b"", b"18446744073709551616", b"5\x0b", b"\xb2"]


@pytest.mark.parametrize(
    "lines",
    [
        *[b"Content-Length: 5\r\nTransfer-Encoding: " + coding for coding in CODINGS],
        *[b"Transfer-Encoding: " + coding + b"\r\nContent-Length: 5" for coding in CODINGS],
        *[b"Transfer-Encoding: " + coding for coding in CODINGS if coding not in {*CODINGS[:2], *UNKNOWN}],
        *[b"Content-Length: " + length for length in LENGTHS],
        *[
            b"Content-Length: 5\r\n" + extra
            for extra in (b"Content-Length: 5", b"content-length: 6", b"CONTENT-LENGTH:5")
        ],
        *[
            b"Transfer-Encoding: chunked\r\n" + extra
            for extra in (b"Transfer-Encoding: chunked", b"Transfer-Encoding: x")
        ],
        *[b"Transfer-Encoding\t: chunked", b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked"],
        *[b"Transfer-Encoding:\r\n chunked", b"X: 1\r\n Transfer-Encoding: chunked", b"X: 1\r\n\tfold", b"X:\r\n fold"],
        *[
            b"X: 1\nTransfer-Encoding: chunked",
            b"X: 1\rTransfer-Encoding: chunked",
            b"X: \x00",
            b"X\x00: 1",
            b": 1",
            b"X",
        ],
        *[b"Transfer_Encoding: chunked", b"Content_Length: 5", b"Transfer.Encoding: chunked"],
    ],
)
async def test_ambiguous_framing_is_refused(lines):
    """F1: CL+TE, repeated lengths, odd codings and numbers, folding, bare CR and LF, NUL, space before the colon."""
    assert await refusal(POST + lines + b"\r\n\r\n" + b"0\r\n\r\n" + SMUGGLED) == 400


@pytest.mark.parametrize(
    "coding", [*UNKNOWN, b"gzip", b"GZIP", b"br,gzip , chunked", b"gzip\r\nTransfer-Encoding: chunked"]
)
async def test_a_coding_that_is_not_known_is_not_implemented(coding):
    """F1: RFC 9112 §6.1: 501, and nobody is asked."""
    assert await refusal(POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n" + SMUGGLED) == 501


@pytest.mark.parametrize(
    "chunks",
    [
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"3\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"\r\nabc\r\n",
        b"3_0\r\n",
    ],
)
async def test_ambiguous_chunks_are_refused_and_the_application_sees_no_end(chunks):
    """F1: sizes in other notations, bare LF, data longer than its size: the body is never taken for complete."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n" + SMUGGLED)
    assert (statuses(said), app.requests) == ([400], [])


async def test_no_control_character_passes_in_a_name_or_a_value():
    """F1: every octet, in every place of a name and a value: only TAB and obs-text pass, in values."""
    app = Recorder()
    async with running(app) as server:
        for octet, place in itertools.product(range(256), ("name", "first", "middle", "last")):
            byte = bytes([octet])
            line = {"name": b"A" + byte + b"b: c", "first": b"A: " + byte + b"c"}.get(place)
            line = line or {"middle": b"A: b" + byte + b"c", "last": b"A: b" + byte}[place]
            app.scopes.clear()
            said = await talk(server, GET + b"Connection: close\r\n" + line + b"\r\n\r\n")
            control = octet < 0x20 or octet == 0x7F
            if place == "name":
                allowed = (byte.isalnum() and octet < 0x80) or byte in b"!#$%&'*+-.^_`|~:"
            else:
                allowed = not control or byte == b"\t"
            assert (status(said) == 200) is bool(allowed), (place, octet, said)
            assert app.reached is bool(allowed)


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET http://u@h/ HTTP/1.0\r\n\r\n",
        b"GET http://[::x]/ HTTP/1.0\r\n\r\n",
        b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http://h/#x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET a HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: h\r\n\r\n",
        b"g@t / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_heads_that_are_not_clear_are_refused(start):
    """E3, F3, F4: no or several hosts, fragments, foreign authorities, raw bytes in the target, TLS on a plain port."""
    assert await refusal(start) == 400


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"CONNECT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405),
        (b"DESCRIBE rtsp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ],
)
async def test_methods_and_versions_not_spoken_here(start, expected):
    """F2: CONNECT would tunnel through a shared connection, TRACE shows cookies; odd versions have no framing."""
    assert await refusal(start + SMUGGLED) == expected


async def test_absolute_form_of_the_same_host_is_its_path():
    """F3: RFC 9112 §3.2.2 wants absolute-form understood."""
    app = Recorder()
    async with running(app) as server:
        await talk(server, b"GET http://H/a?b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        await talk(server, b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert app.requests == [("GET", b"/a", b"b", b""), ("OPTIONS", b"*", b"", b"")]


async def test_a_probe_in_http_1_0_needs_no_host():
    """RFC 9112 §3.2 asks HTTP/1.1 alone for it; HAProxy 2.6's `httpchk` sends none.

    The absolute form names one, and that of the request before on the connection does not count.
    """
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, b"OPTIONS /livez HTTP/1.0\r\n\r\n")
        again = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET http://other:8080/b HTTP/1.0\r\n\r\n"
        assert statuses(await talk(server, again)) == [200, 200]
    assert status(said) == 200
    assert app.requests == [("OPTIONS", b"/livez", b"", b""), ("GET", b"/a", b"", b""), ("GET", b"/b", b"", b"")]
    hosts = [dict(scope["headers"]).get(b"host") for scope in app.scopes]
    assert hosts == [None, b"h", b"other:8080"]


@pytest.mark.parametrize("apart", [False, True], ids=["with the request", "after the application began"])
async def test_trailers_never_reach_the_header(apart):
    """A5: announced or not, in the same packet or after the application has begun, trailers are dropped."""
    began, gone_on = asyncio.Event(), asyncio.Event()
    seen = []

    async def app(scope, receive, send):
        if scope["type"] == "http":
            seen.append(list(scope["headers"]))
            began.set()
            if apart:
                await gone_on.wait()
            await Recorder()(scope, receive, send)
            seen.append(list(scope["headers"]))

    start = POST + b"Trailer: X-Amzn-Oidc-Identity\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    end = b"3\r\nabc\r\n0\r\nX-Amzn-Oidc-Identity: admin\r\nHost: evil\r\n\r\n"
    async with running(app) as server:
        if not apart:
            assert status(await talk(server, start + end)) == 200
        else:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(start)
            await began.wait()
            writer.write(end)
            await writer.drain()
            gone_on.set()
            assert status(await reader.read()) == 200
            writer.close()
    before, after = seen
    assert before == after
    assert [name for name, _ in after] == [b"host", b"trailer", b"transfer-encoding", b"connection"]


@pytest.mark.parametrize("trailer", [b"Content-Length: 9", b"Transfer-Encoding: chunked", b"A\x00: b", b"A: b\n"])
async def test_trailers_that_frame_are_refused(trailer):
    """A5, F1: the body is never taken for complete."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + trailer + b"\r\n\r\n")
    assert (statuses(said), app.requests) == ([400], [])


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_a_get_with_a_body_is_the_last_of_its_connection(method):
    """RFC 9110 §9.3.1: a body without a meaning; what follows might be read as part of it, so nothing does."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, method + b" / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + SMUGGLED)
    assert head(said)[b"connection"] == b"close"
    assert [request[1] for request in app.requests] == [b"/"]


@pytest.mark.parametrize(
    "close", [b"HTTP/1.1\r\nConnection: close", b"HTTP/1.1\r\nConnection: x, Close", b"HTTP/1.0\r\nA: b"]
)
async def test_nothing_is_read_behind_the_last_request(close):
    """RFC 9112 §9.6: what follows `Connection: close` is neither answered nor an error."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, b"GET / " + close + b"\r\nHost: h\r\n\r\n" + SMUGGLED + b"garbage")
    assert (statuses(said), [request[1] for request in app.requests]) == ([200], [b"/"])


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("protocol", [b"h2c", b"TLS/1.0", b"websocket", b"foo, websocket"])
async def test_an_upgrade_that_is_not_taken_leaves_the_body_a_body(framing, protocol):
    """F2: Java's client offers h2c with each POST; its body must not be dropped, nor read as a request."""
    app = Recorder()
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + protocol + b"\r\nHTTP2-Settings: AAMAAABk\r\n"
    async with running(app) as server:
        last = b"GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        said = await talk(server, POST + upgrade + framing + last)
    assert statuses(said) == [200, 200]
    assert app.requests == [("POST", b"/", b"", b"abc"), ("GET", b"/next", b"", b"")]
    assert not {b"upgrade", b"http2-settings", b"connection"} & {name for name, _ in app.scopes[0]["headers"]}


async def test_other_connection_options_outlive_an_ignored_upgrade():
    """RFC 9110 §7.8: only the upgrade is ignored; `close` still closes."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, GET + b"Connection: close, upgrade\r\nUpgrade: h2c\r\n\r\n" + SMUGGLED)
    assert (statuses(said), len(app.requests)) == ([200], 1)


async def test_the_application_failing_halfway_is_seen_as_incomplete():
    """A length-delimited or chunked answer that breaks off never ends as a well-formed short one."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise ConnectionError("the upstream went away")

    async with running(app) as server:
        assert (await talk(server, GET + b"\r\n")).endswith(b"4\r\npart\r\n")
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
        with pytest.raises(ConnectionResetError):  # HTTP/1.0 has no other way of saying it
            await reader.read()
        writer.close()


async def test_http_1_0_gets_no_chunks():
    """RFC 9112 §6.1: an answer without a length ends with the connection."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await send({"type": "http.response.body", "body": b"two"})

    async with running(app, limits=Limits()) as server:
        said = await talk(server, b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
    assert b"transfer-encoding" not in head(said)
    assert said.endswith(b"\r\n\r\nonetwo")


async def test_an_old_client_is_never_told_to_continue():
    """T6: HTTP/1.0 has no interim responses, so that its `Expect` is ignored (RFC 9110 §10.1.1)."""
    async with running(Recorder()) as server:
        said = await talk(server, b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab")
    assert statuses(said) == [200]
