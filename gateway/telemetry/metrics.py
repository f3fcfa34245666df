"""Count what the gateway does, and show the counts to Prometheus on a listener of their own.

Labels come from the configuration and from closed sets, never from a request: no client can make new series.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.core.asgi import ASGIApp, Receive, Scope, Send

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: Prometheus's defaults, carried down to one millisecond, since most of our answers take less than five."""


class _Cell:
    """The requests of one rule, decision and status: their seconds in all, and how many fell into each bucket."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)


class _Requests(Collector):
    """Counts in plain cells, which one event loop alone writes: Prometheus's own counters take a lock for each of three
    numbers a request. The families are made when somebody asks."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str, int], _Cell] = {}

    def count(self, rule: str, decision: str, status: int, seconds: float) -> None:
        key = (rule, decision, status)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells.setdefault(key if 100 <= status <= 599 else (rule, decision, 0), _Cell())
        cell.seconds += seconds
        cell.buckets[bisect_left(BUCKETS, seconds)] += 1

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        requests = CounterMetricFamily(
            "gateway_requests", "Requests by rule, decision and status.", labels=("rule", "decision", "status")
        )
        whole: dict[str, _Cell] = {}
        for (rule, decision, status), cell in tuple(self.cells.items()):
            requests.add_metric((rule, decision, str(status)), sum(cell.buckets))
            total = whole.setdefault(decision, _Cell())
            total.seconds += cell.seconds
            total.buckets = [one + other for one, other in zip(total.buckets, cell.buckets, strict=True)]
        yield requests
        seconds = HistogramMetricFamily("gateway_request_seconds", "Whole exchange.", labels=("decision",))
        for decision, cell in whole.items():
            seconds.add_metric((decision,), _cumulative(cell.buckets), cell.seconds)
        yield seconds


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    """As the text format has them: each bucket holds those below it too."""
    names = [*map(str, BUCKETS), "+Inf"]
    return [(name, sum(buckets[: place + 1])) for place, name in enumerate(names)]


class Metrics:
    """The gateway's counters, in a registry of their own, so that several gateways fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests = _Requests()
        self.registry.register(requests)
        self.request = requests.count
        """Count one answered request: its rule, decision, status and seconds. An impossible status counts as 0."""
        self.provider_ready = Gauge(
            "provider_ready", "1 when metadata and keys are there.", namespace="gateway", registry=self.registry
        )

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
