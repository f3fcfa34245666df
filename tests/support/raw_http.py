"""Raw bytes over real sockets, and applications that write down what reached them."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from gateway.server import Running


@dataclass
class Recorder:
    """An ASGI application that records each request with its body, and answers with a number: 1, 2, 3…"""

    requests: list[tuple[str, bytes, bytes, bytes]] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    cut_off: int = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        self.scopes.append(scope)
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.cut_off += 1
                return
            body += message["body"]
            more = message["more_body"]
        self.requests.append((scope["method"], scope["raw_path"], scope["query_string"], body))
        text = str(len(self.requests)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})

    @property
    def reached(self) -> bool:
        """Whether anything got this far."""
        return bool(self.scopes)


async def talk(server: Running, *pieces: bytes, seconds: float = 5) -> bytes:
    """Send the pieces and nothing after them; everything that came back until the server closed."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.close()


def status(answer: bytes) -> int:
    """The status of the first answer in these bytes."""
    return int(answer.split(b" ", 2)[1])


def statuses(answer: bytes) -> list[int]:
    """The statuses of all answers in these bytes; bodies must not hold a status line."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def head(answer: bytes) -> dict[bytes, bytes]:
    """The header of the first answer; a repeated name keeps its last value."""
    lines = answer.split(b"\r\n\r\n", 1)[0].split(b"\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines)}


def loads(answer: bytes) -> Any:
    """The JSON body of an answer."""
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])
