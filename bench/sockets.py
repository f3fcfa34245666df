"""The measures of WebSockets through the tunnel."""

import contextlib
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.measures import Effort
from bench.processes import LOAD_CORE, Program, free_port, running
from bench.report import Row, bounded, compared
from bench.signin import sign_in
from bench.websockets import echoes, idle
from bench.world import KIB, World

IDLE = 5000


def websockets(world: World, peers: Sequence[tuple[Program, str, float | None]], effort: Effort) -> Iterator[Row]:
    """Echoes a CPU-second, and memory of 5,000 idle ones, behind the gateway and behind the peers that know them."""
    with _echo_server(world) as port, _in_front_of(world, port) as gateway:
        cookie = sign_in(gateway.url + "/")
        ours = [echoes(gateway, cookie, seconds=effort.seconds).per_cpu_second for _ in range(effort.pairs)]
        yield Row("WebSocket echo, 64 connections", round(statistics.median(ours)), "messages per CPU-second")
        for peer, theirs, bound in peers:
            speeds = [echoes(peer, theirs, seconds=effort.seconds).per_cpu_second for _ in range(effort.pairs)]
            yield compared("WebSocket echo", "messages per CPU-second", ours, speeds, peer.name, bound and 1.0)
        yield bounded("idle WebSocket", idle(gateway, cookie, IDLE) / KIB, "KiB each", 8, f"of {IDLE}")


@contextlib.contextmanager
def _echo_server(world: World) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "bench.websockets", "serve", str(port)]
    with running("echo", command, port, core=LOAD_CORE, log=Path(world.folder) / "echo.log"):
        yield port


@contextlib.contextmanager
def _in_front_of(world: World, port: int) -> Iterator[Program]:
    file = world.folder / "gateway.yaml"
    usual = file.read_text()
    try:
        file.write_text(usual.replace(f"127.0.0.1:{world.upstream.port}", f"127.0.0.1:{port}"))
        with world.gateway() as gateway:
            yield gateway
    finally:
        file.write_text(usual)
