"""The sample application's WebSocket: an echo that keeps text and binary apart."""

import pytest

from gateway.core.asgi import Message, Scope
from gateway.demo.sample import sample_app


async def conversation(scope: Scope, *incoming: Message) -> list[Message]:
    """What the application says to these events."""
    events = iter([{"type": "websocket.connect"}, *incoming, {"type": "websocket.disconnect", "code": 1005}])
    said: list[Message] = []

    async def receive() -> Message:
        return next(events)

    async def send(message: Message) -> None:
        said.append(message)

    await sample_app({"type": "websocket", "path": "/ws", "query_string": b"", **scope}, receive, send)
    return said


async def test_text_stays_text_and_binary_binary():
    """Also when either is empty."""
    said = await conversation(
        {"subprotocols": ["chat", "other"]},
        {"type": "websocket.receive", "text": "hallo"},
        {"type": "websocket.receive", "bytes": b"\x00", "text": None},
        {"type": "websocket.receive", "text": ""},
    )
    assert said == [
        {"type": "websocket.accept", "subprotocol": "chat"},
        {"type": "websocket.send", "text": "hallo"},
        {"type": "websocket.send", "bytes": b"\x00"},
        {"type": "websocket.send", "text": ""},
    ]


@pytest.mark.parametrize(
    ("query", "closes"), [(b"close=4001", True), (b"close=1000", True), (b"close=1006", False), (b"close=x", False)]
)
async def test_it_closes_with_the_code_asked_for(query, closes):
    """Codes that no application may send are ignored (RFC 6455 §7.4)."""
    said = await conversation({"query_string": query}, {"type": "websocket.receive", "text": "a"})
    assert [message["type"] for message in said][1:] == (["websocket.close"] if closes else ["websocket.send"])


async def test_other_paths_have_no_web_socket():
    """Refused before it is accepted."""
    assert await conversation({"path": "/"}) == [{"type": "websocket.close", "code": 1000}]
