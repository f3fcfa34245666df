"""Any sequence of valid requests on one connection reaches the upstream as exactly those requests."""

import asyncio
import contextlib
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.wire import connected, proxied, scripted

pytestmark = [pytest.mark.network, pytest.mark.property]

_TCHAR = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
_OURS = (
    "connection",
    "content-length",
    "transfer-encoding",
    "host",
    "expect",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
)
names = st.text(st.sampled_from(_TCHAR), min_size=1, max_size=12).filter(
    lambda name: name.lower() not in _OURS and not name.lower().startswith(("proxy-", "content", "transfer", "http2"))
)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)
paths = st.text(st.sampled_from("abcXYZ019/%-._~!$&'()*+,;=:@"), max_size=20).map(lambda text: "/x" + text)
requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]),
        "target": st.one_of(paths, st.builds("{}?{}x".format, paths, paths)),
        "headers": st.lists(st.tuples(names, values), max_size=5),
        "body": st.one_of(st.none(), st.lists(st.binary(min_size=1, max_size=300), max_size=4)),
        "chunked": st.booleans(),
    }
)


def written(request, *, last: bool) -> bytes:
    """The request as a client writes it."""
    body = request["body"] if request["method"] not in ("GET", "OPTIONS") else None
    lines = [("Host", "app.test"), *request["headers"]]
    if body is not None:
        lines.append(
            ("Transfer-Encoding", "chunked") if request["chunked"] else ("Content-Length", str(sum(map(len, body))))
        )
    if last:
        lines.append(("Connection", "close"))
    head = f"{request['method']} {request['target']} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines) + "\r\n"
    if body is None:
        return head.encode("latin-1")
    if not request["chunked"]:
        return head.encode("latin-1") + b"".join(body)
    return head.encode("latin-1") + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in body) + b"0\r\n\r\n"


def meant(request):
    """What the upstream must understand."""
    body = request["body"] if request["method"] not in ("GET", "OPTIONS") else None
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in request["headers"]]
    return request["method"].encode(), request["target"].encode(), headers, b"".join(body or [])


async def understand(peer, seen) -> None:
    """Read requests with a parser that nobody here wrote, and answer each with its number."""
    parser = h11.Connection(h11.SERVER)
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await peer.reader.read(65_536))
        elif isinstance(event, h11.Request):
            ours = [(n, v) for n, v in event.headers if n.decode() not in _OURS]
            seen.append([event.method, event.target, ours, b""])
        elif isinstance(event, h11.Data):
            seen[-1][3] += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert not event.headers
            answer = b"%d" % len(seen)
            head = h11.Response(status_code=200, headers=[("content-length", str(len(answer)))])
            peer.writer.write(
                b"".join(parser.send(part) or b"" for part in (head, h11.Data(data=answer), h11.EndOfMessage()))
            )
            parser.start_next_cycle()
        else:
            return


@settings(max_examples=40)
@given(st.lists(requests, min_size=1, max_size=5), st.integers(1, 400), st.booleans())
async def test_the_upstream_gets_exactly_these_requests(sequence, cut, at_once):
    """Whatever the cut of the packets, pipelined or one by one: same requests, same order, nothing in between."""
    seen: list[list[Any]] = []

    async def play(peer):
        with contextlib.suppress(h11.RemoteProtocolError):
            await understand(peer, seen)

    data = b"".join(written(request, last=request is sequence[-1]) for request in sequence)
    pieces = [data] if at_once else [data[start : start + cut] for start in range(0, len(data), cut)]
    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        for piece in pieces:
            await client.send(piece)
            await asyncio.sleep(0)
        answers = await asyncio.wait_for(client.gone(), 10)
    assert [tuple(one) for one in seen] == [meant(request) for request in sequence]
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == len(sequence)
    assert len(upstream.peers) == 1
