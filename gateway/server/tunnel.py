"""Join a client's connection and an upstream's, byte for byte, and close between two WebSocket frames."""

import asyncio


class Tunnel:
    """`scope["extensions"]["gateway.tunnel"]` of a WebSocket scope: how the proxy hands its connection over.

    The application sends `{"type": "websocket.accept", "headers": [...], "gateway.tunnel": True}`, which writes the 101,
    and then awaits `join`. An application that accepts without that key is terminated by the server as usual.
    """

    async def join(self, upstream: asyncio.Transport, early: bytes = b"") -> None:
        """Carry bytes both ways until both ends are closed. `early` is what upstream sent after its 101."""
        raise NotImplementedError

    def close(self, code: int, reason: str = "") -> None:
        """Put a close frame (RFC 6455 §5.5.1) between two frames towards the client, then close both ends. Idempotent."""
        raise NotImplementedError
