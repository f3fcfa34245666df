"""Count what the gateway does, and show the counts to Prometheus on a listener of their own.

Labels come from the configuration and from closed sets, never from a request: no client can make new series.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from gateway.core.asgi import ASGIApp, Receive, Scope, Send

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: Prometheus's defaults, carried down to one millisecond, since most of our answers take less than five."""


class Metrics:
    """The gateway's counters, in a registry of their own, so that several gateways fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter(
            "requests", "Requests by rule, decision and status.", "rule", "decision", "status"
        )
        self._seconds = self._histogram("request_seconds", "Whole exchange.", "decision")
        self.provider_ready = self._gauge("provider_ready", "1 when metadata and keys are there.")
        # `labels()` takes a lock and builds strings each time; rules, decisions and statuses are few.
        self._request_children: dict[tuple[str, str, int], Counter] = {}
        self._seconds_children: dict[str, Histogram] = {}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace="gateway", registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, namespace="gateway", registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, namespace="gateway", registry=self.registry, buckets=BUCKETS)

    def request(self, rule: str, decision: str, status: int, seconds: float) -> None:
        """Count one answered request; an impossible status counts as 0."""
        status = status if 100 <= status <= 599 else 0
        key = (rule, decision, status)
        child = self._request_children.get(key)
        if child is None:
            child = self._request_children[key] = self._requests.labels(rule, decision, str(status))
        child.inc()
        timer = self._seconds_children.get(decision)
        if timer is None:
            timer = self._seconds_children[decision] = self._seconds.labels(decision)
        timer.observe(seconds)

    def listener(self) -> ASGIApp:
        """An application that answers `GET /metrics` and nothing else: the listener opens no other door (H5)."""
        return _Listener(self.registry)


class _Listener:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            status, headers, body = self._answer(scope)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        if scope["path"] != "/metrics":
            return _plain(404, b"Not found. Metrics are at /metrics.\n")
        if scope["method"] not in {"GET", "HEAD"}:
            return _plain(405, b"Use GET.\n", (b"allow", b"GET, HEAD"))
        accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
        encode, content_type = choose_encoder(accept)
        body: bytes = encode(self._registry)
        return 200, _headers(content_type.encode(), body), body


def _headers(content_type: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    length = str(len(body)).encode()
    return [(b"content-type", content_type), (b"content-length", length), (b"cache-control", b"no-store")]


def _plain(status: int, body: bytes, *more: tuple[bytes, bytes]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return status, [*_headers(b"text/plain; charset=utf-8", body), *more], body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
