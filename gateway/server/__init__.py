"""The HTTP/1.1 server: uvicorn's httptools protocol with limits, strict framing and a WebSocket tunnel."""

from gateway.server.limits import Limits
from gateway.server.protocol import GatewayProtocol, make_protocol
from gateway.server.run import Running, running, serve
from gateway.server.tunnel import Tunnel

__all__ = ["GatewayProtocol", "Limits", "Running", "Tunnel", "make_protocol", "running", "serve"]
