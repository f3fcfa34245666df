"""Latency at a fixed rate, measured from when a request should have been sent: a stall counts against all behind it."""

import asyncio
import subprocess
import sys
from collections import deque
from dataclasses import dataclass

import uvloop

from bench.load import BROWSER
from bench.processes import LOAD_CORE, Program

_TICK = 0.002


@dataclass(frozen=True)
class Latency:
    """In milliseconds."""

    p50: float
    p99: float


def paced(program: Program, path: str, cookie: str, *, rate: float, seconds: float) -> Latency:
    """In a process of its own on the load's core."""
    command = ["taskset", "-c", str(LOAD_CORE), sys.executable, "-m", "bench.pacing"]
    arguments = [str(program.port), path, f"{rate:g}", f"{seconds:g}"]
    out = subprocess.run([*command, *arguments], input=cookie, capture_output=True, text=True, check=True).stdout
    p50, p99 = out.split()
    return Latency(float(p50), float(p99))


class _Client(asyncio.Protocol):
    """One kept connection; requests that should have been sent meanwhile wait in a common queue."""

    def __init__(self, request: bytes, due: deque[float], took: list[float]) -> None:
        self._request = request
        self._due = due
        self._took = took
        self._since = 0.0
        self._missing = 0
        self._head = b""
        self.busy = False

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def next(self) -> None:
        if self._due and not self.busy:
            self.busy = True
            self._since = self._due.popleft()
            self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"answered {head[:60]!r}")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length) - len(body)
            self._head = b""
        if self._missing <= 0:
            self._took.append(self._loop.time() - self._since)
            self.busy = False
            self.next()


async def _run(port: int, path: str, rate: float, seconds: float, cookie: str) -> list[float]:
    loop = asyncio.get_running_loop()
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**BROWSER, "Cookie": cookie}.items())
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode()
    due: deque[float] = deque()
    took: list[float] = []
    clients = [
        (await loop.create_connection(lambda: _Client(request, due, took), "127.0.0.1", port))[1] for _ in range(32)
    ]
    start = loop.time()
    sent, total = 0, int(rate * seconds)
    while sent < total:
        while sent < total and start + sent / rate <= loop.time():
            due.append(start + sent / rate)
            sent += 1
        for client in clients:
            client.next()
        await asyncio.sleep(_TICK if sent < total else 0)
    while len(took) < total and loop.time() < start + seconds + 10:  # noqa: ASYNC110 - a bound on both
        await asyncio.sleep(_TICK)
    return sorted(took)


def main() -> None:
    """`python -m bench.pacing PORT PATH RATE SECONDS`, the cookie on the standard input: p50 and p99 in ms."""
    port, path, rate, seconds = sys.argv[1:]
    took = uvloop.run(_run(int(port), path, float(rate), float(seconds), sys.stdin.read().strip()))
    print(took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000)


if __name__ == "__main__":
    main()
