"""The answer to one request that has a body, or whose client speaks HTTP/1.0: how it may end the connection."""

from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class Connection(Protocol):
    """What a cycle needs of the connection."""

    def end_after(self, cycle: RequestResponseCycle) -> None:
        """Close behind this cycle."""


class Flow(FlowControl):
    """uvicorn's flow control, with a hold: requests in the queue must not be joined by more."""

    hold = False

    def resume_reading(self) -> None:
        """Read again, unless held. An application that waits for a disconnect resumes; a queue would then never end."""
        if not self.hold:
            super().resume_reading()


class _Ending:
    """The transport as a cycle sees it: closing is the connection's decision."""

    __slots__ = ("_connection", "_cycle", "is_closing", "write")

    def __init__(self, transport: Any, connection: Connection, cycle: RequestResponseCycle) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self._connection = connection
        self._cycle = cycle

    def close(self) -> None:
        self._connection.end_after(self._cycle)


class BodyCycle(RequestResponseCycle):
    """A request with a body: a refusal that comes before the body's end announces that the connection closes."""

    def __init__(self, connection: Connection, **parts: Any) -> None:
        super().__init__(**parts)
        self.transport: Any = _Ending(self.transport, connection, self)

    async def send(self, message: Any) -> None:
        """Send one ASGI message."""
        # A client whose `Expect: 100-continue` gets a final answer may send the body or not (RFC 9110 §10.1.1): what
        # follows on this connection cannot be told apart, so nothing does.
        if not self.response_started:
            refusal = self.more_body and message.get("status", 200) >= 400
            self.keep_alive = self.keep_alive and not (refusal or self.waiting_for_100_continue)
        await super().send(message)


class OldCycle(BodyCycle):
    """HTTP/1.0 knows no chunks (RFC 9112 §6.1): an answer without a length ends with the connection."""

    delimited_by_close = False

    async def send(self, message: Any) -> None:
        """Send one ASGI message."""
        if not self.response_started:
            self.delimited_by_close = not any(
                name.lower() == b"content-length" for name, _ in message.get("headers", ())
            )
            self.chunked_encoding = False if self.delimited_by_close else None
        elif self.delimited_by_close:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)
