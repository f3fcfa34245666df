"""The measures of WebSockets through the tunnel."""

import contextlib
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measures import Effort
from bench.peers import oauth2_proxy
from bench.processes import LOAD_CORE, Program, free_port, running
from bench.report import Row, bounded, compared, skipped
from bench.signin import sign_in
from bench.websockets import echoes, idle
from bench.world import KIB, World

IDLE = 5000


def websockets(world: World, effort: Effort, *, with_peers: bool) -> Iterator[Row]:
    """Echoes a CPU-second, and memory of 5,000 idle ones, behind the gateway and behind oauth2-proxy."""
    with echo_server(world) as port, _in_front_of(world, port) as gateway:
        cookie = sign_in(gateway.url + "/")
        ours = [echoes(gateway, cookie, seconds=effort.seconds).per_cpu_second for _ in range(effort.pairs)]
        yield Row("WebSocket echo, 64 connections", round(statistics.median(ours)), "messages per CPU-second")
        yield bounded("idle WebSocket", idle(gateway, cookie, IDLE) / KIB, "KiB each", 8, f"of {IDLE}")
        if with_peers:
            yield from _beside(world, port, ours, effort)


def _beside(world: World, port: int, ours: list[float], effort: Effort) -> Iterator[Row]:
    try:
        with oauth2_proxy(world, f"http://127.0.0.1:{port}") as (peer, cookie):
            theirs = [echoes(peer, cookie, seconds=effort.seconds).per_cpu_second for _ in range(effort.pairs)]
            yield compared("WebSocket echo", "messages per CPU-second", ours, theirs, peer.name, 1.0)
            yield bounded("idle WebSocket, oauth2-proxy", idle(peer, cookie, IDLE) / KIB, "KiB each", None)
    except RuntimeError as error:
        yield skipped("WebSocket echo, oauth2-proxy", " ".join(str(error).split())[:300])


@contextlib.contextmanager
def echo_server(world: World) -> Iterator[int]:
    """An upstream that gives each message back; its port."""
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
