"""One request to an ASGI application, byte for byte: what an HTTP client library would tidy up goes in as it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.core.asgi import ASGIApp, HeaderList, Message
from tests.support.world import NAVIGATION

BROWSER: HeaderList = [(b"host", b"app.test"), *((k.encode(), v.encode()) for k, v in NAVIGATION.items())]
"""The header of a top-level navigation."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: HeaderList
    body: bytes

    def all(self, name: str) -> list[str]:
        """The values of every line of that name."""
        return [value.decode("latin-1") for found, value in self.headers if found == name.encode()]

    def one(self, name: str) -> str:
        """The value of the only line of that name; "" when there is none."""
        values = self.all(name)
        assert len(values) < 2, values
        return values[0] if values else ""


async def ask(
    app: ASGIApp,
    target: bytes = b"/",
    *,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = BROWSER,
    body: bytes = b"",
    kind: str = "http",
    client: tuple[str, int] | None = ("192.0.2.7", 4711),
) -> Answer:
    """The application's answer. `target` as in a request line; `kind` may be "websocket"."""
    raw_path, _, query = target.partition(b"?")
    scope: dict[str, Any] = {
        "type": kind,
        "path": _decoded(raw_path),
        "raw_path": raw_path,
        "query_string": query,
        "headers": list(headers),
        "client": client,
        "scheme": "https" if kind == "http" else "wss",
        "http_version": "1.1",
        "extensions": {"websocket.http.response": {}},
    }
    if kind == "http":
        scope["method"] = method
    sent: list[Message] = []
    incoming = iter([{"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": body}])

    async def receive() -> Message:
        return next(incoming, {"type": "http.disconnect" if kind == "http" else "websocket.disconnect"})

    async def send(message: Message) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return _answer(sent)


def _decoded(raw_path: bytes) -> str:
    return unquote_to_bytes(raw_path).decode("utf-8", "replace")


def _answer(sent: list[Message]) -> Answer:
    if not sent:
        return Answer(0, [], b"")
    start = sent[0]
    status = 101 if start["type"] == "websocket.accept" else start.get("status", 403)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(status, list(start.get("headers", ())), body)
