"""An application, for ASGI and for WSGI, that responds before it has read the body and names the request it is for."""

import asyncio
import time
from urllib.parse import parse_qs


def _status(query):
    return int(parse_qs(query).get("status", ["200"])[0])


def wsgi(environ, start_response):
    query = environ["QUERY_STRING"]
    target = environ["PATH_INFO"] + (f"?{query}" if query else "")
    start_response(f"{_status(query)} X", [("X-For", target), ("Content-Length", "2")])
    yield b"o"
    time.sleep(0.02)
    yield b"k"


async def asgi(scope, _receive, send):
    query = scope["query_string"].decode()
    target = scope["path"] + (f"?{query}" if query else "")
    headers = [(b"x-for", target.encode()), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": _status(query), "headers": headers})
    await send({"type": "http.response.body", "body": b"o", "more_body": True})
    await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b"k"})
