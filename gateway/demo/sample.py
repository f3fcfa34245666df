"""A sample application behind the gateway: it greets, and shows what reaches an application.

`/` greets · `/headers` · `/echo` · `/stream?size=N&chunk=M` · `/cookies` · `/upload` · `/slow?seconds=S` ·
`/sse?count=N&interval=S` · `/ws` · `/status/{code}`. The demo, the tests and the benchmarks use it; it is plain ASGI,
so that a benchmark measures the gateway and not a framework.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from gateway.core.asgi import HeaderList, Receive, Scope, Send
from gateway.demo import page

LARGEST_STREAM = 16 * 2**30
LARGEST_CHUNK = 2**20
LONGEST_WAIT = 3600.0
"""Seconds; the tests of timeouts need long ones, nobody needs endless ones."""

_JSON: HeaderList = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_TEXT: HeaderList = [(b"content-type", b"text/plain; charset=utf-8")]

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class _BadQuery(ValueError):
    """A query parameter that cannot be used; the text is the answer."""


async def sample_app(scope: Scope, receive: Receive, send: Send) -> None:
    """The application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await _websocket(scope, receive, send)
    else:
        await _http(scope, receive, send)


async def _http(scope: Scope, receive: Receive, send: Send) -> None:
    path: str = scope["path"]
    handler = _ROUTES.get(path) or (_status if path.startswith("/status/") else _not_found)
    try:
        await handler(scope, receive, send)
    except _BadQuery as problem:
        await _answer(scope, send, 400, _TEXT, f"{problem}\n".encode())


async def _greeting(scope: Scope, _receive: Receive, send: Send) -> None:
    await _answer(scope, send, 200, page.HEADERS, page.render(scope["headers"]))


async def _headers(scope: Scope, _receive: Receive, send: Send) -> None:
    pairs = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    await _answer_json(scope, send, pairs)


async def _cookies(scope: Scope, _receive: Receive, send: Send) -> None:
    lines = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    pairs = [part.strip().partition("=")[::2] for part in lines.split(";") if part.strip()]
    await _answer_json(scope, send, pairs)


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    size, digest = await _digest(receive)
    facts = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "body_size": size,
        "body_sha256": digest,
    }
    await _answer_json(scope, send, facts)


async def _upload(scope: Scope, receive: Receive, send: Send) -> None:
    size, digest = await _digest(receive)
    await _answer_json(scope, send, {"size": size, "sha256": digest})


async def _stream(scope: Scope, _receive: Receive, send: Send) -> None:
    size = int(_number(scope, "size", 2**20, LARGEST_STREAM))
    chunk = bytes(range(256)) * 4096
    chunk = chunk[: max(1, int(_number(scope, "chunk", 65536, LARGEST_CHUNK)))]
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/octet-stream")]}
    )
    while size > 0 and scope["method"] != "HEAD":
        await send({"type": "http.response.body", "body": chunk[:size], "more_body": True})
        size -= len(chunk)
    await send({"type": "http.response.body", "body": b""})


async def _slow(scope: Scope, _receive: Receive, send: Send) -> None:
    seconds = _number(scope, "seconds", 1, LONGEST_WAIT)
    await asyncio.sleep(seconds)
    await _answer(scope, send, 200, _TEXT, f"waited {seconds:g} s\n".encode())


async def _sse(scope: Scope, _receive: Receive, send: Send) -> None:
    count = int(_number(scope, "count", 5, 1_000_000))
    interval = _number(scope, "interval", 0.5, LONGEST_WAIT)
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(1, count + 1):
        await send(
            {"type": "http.response.body", "body": f"id: {number}\ndata: tick {number}\n\n".encode(), "more_body": True}
        )
        if number < count:
            await asyncio.sleep(interval)
    await send({"type": "http.response.body", "body": b""})


async def _status(scope: Scope, _receive: Receive, send: Send) -> None:
    code = scope["path"].removeprefix("/status/")
    if not (code.isascii() and code.isdigit() and 200 <= int(code[:4]) <= 599):
        raise _BadQuery("a status is a number from 200 to 599")
    bodyless = code in {"204", "205", "304"}
    await _answer(scope, send, int(code), [] if bodyless else _TEXT, b"" if bodyless else f"status {code}\n".encode())


async def _not_found(scope: Scope, _receive: Receive, send: Send) -> None:
    await _answer(scope, send, 404, _TEXT, b"There is nothing here.\n")


async def _websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Echo; `?close=CODE` closes with that code at the first message instead."""
    await receive()
    if scope["path"] != "/ws":
        await send({"type": "websocket.close", "code": 1000})
        return
    try:
        code = _close_code(scope)
    except _BadQuery:
        code = 0
    offered = scope.get("subprotocols") or [None]
    await send({"type": "websocket.accept", "subprotocol": offered[0]})
    while (message := await receive())["type"] == "websocket.receive":
        if code:
            await send({"type": "websocket.close", "code": code, "reason": "as asked"})
            return
        kind = "text" if message.get("text") is not None else "bytes"
        await send({"type": "websocket.send", kind: message[kind]})


def _close_code(scope: Scope) -> int:
    """The code asked for, when an application may send it (RFC 6455 §7.4.2); 0 when none is."""
    code = int(_number(scope, "close", 0, 4999))
    return code if code == 1000 or code >= 3000 else 0


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _digest(receive: Receive) -> tuple[int, str]:
    """Size and SHA-256 of the request body, read piece by piece."""
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body = message.get("body", b"")
        digest.update(body)
        size += len(body)
        more = message.get("more_body", False)
    return size, digest.hexdigest()


async def _answer_json(scope: Scope, send: Send, value: Any) -> None:
    await _answer(scope, send, 200, _JSON, json.dumps(value).encode() + b"\n")


async def _answer(scope: Scope, send: Send, status: int, headers: HeaderList, body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())] if status not in {204, 304} else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _number(scope: Scope, name: str, default: float, largest: float) -> float:
    text = parse_qs(scope["query_string"].decode("latin-1")).get(name, [str(default)])[0]
    try:
        number = float(text)
    except ValueError:
        raise _BadQuery(f"{name} is not a number") from None
    if not 0 <= number <= largest:
        raise _BadQuery(f"{name} is not between 0 and {largest:g}")
    return number


_ROUTES: dict[str, Handler] = {
    "/": _greeting,
    "/headers": _headers,
    "/echo": _echo,
    "/stream": _stream,
    "/cookies": _cookies,
    "/upload": _upload,
    "/slow": _slow,
    "/sse": _sse,
}
