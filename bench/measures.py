"""The measures that need nothing but nginx and wrk: requests, the gate alone, bodies, memory, start."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench import memory
from bench.cookie import cognito_sized
from bench.load import Load, script, wrk
from bench.pacing import paced
from bench.processes import Program
from bench.report import Row, bounded, compared
from bench.signin import sign_in
from bench.world import KIB, MIB, World


@dataclass(frozen=True)
class Effort:
    """How long and how often: `--quick` is for trying the benchmark, not for figures."""

    pairs: int = 5
    seconds: float = 8


def interleaved(programs: Sequence[tuple[Program, Path]], path: str, effort: Effort) -> dict[str, list[Load]]:
    """Each in turn, A B C A B C, after a short run that warms it."""
    loads: dict[str, list[Load]] = {program.name: [] for program, _ in programs}
    for program, lua in programs:
        wrk(program, path, lua, seconds=1)
    for _ in range(effort.pairs):
        for program, lua in programs:
            loads[program.name].append(wrk(program, path, lua, seconds=effort.seconds))
    return loads


def _speeds(loads: list[Load]) -> list[float]:
    return [load.per_cpu_second for load in loads]


def requests(world: World, peers: Sequence[tuple[Program, str, float | None]], effort: Effort) -> Iterator[Row]:
    """Signed-in GET of 1 KiB over 32 kept connections, against nginx, the bare server, the parts alone, and peers."""
    with ExitStack() as stack:
        gateway = stack.enter_context(world.gateway())
        cookie = cognito_sized(world, sign_in(gateway.url + "/1k"))
        signed = script(world.folder, "signed", cookie)
        others = [
            stack.enter_context(world.nginx()),
            *(stack.enter_context(world.served(k)) for k in ("bare", "proxy")),
        ]
        gate = stack.enter_context(world.served("gate"))
        programs = [(program, signed) for program in (gateway, *others, gate)]
        programs += [(peer, script(world.folder, peer.name, theirs)) for peer, theirs, _ in peers]
        loads = interleaved(programs, "/1k", effort)
    ours = _speeds(loads["gateway"])
    least: dict[str, float | None] = {"nginx": 0.35, "bare": 0.4, "proxy": None}
    least |= {peer.name: bound for peer, _, bound in peers}
    for name, bound in least.items():
        yield compared("signed-in GET 1 KiB", "requests per CPU-second", ours, _speeds(loads[name]), name, bound)
    gate_alone = _speeds(loads["gate"])
    yield compared("the gate alone", "requests per CPU-second", gate_alone, _speeds(loads["bare"]), "bare", 0.75)
    yield Row("session cookie", len(cookie), "bytes")
    for name, runs in loads.items():
        rate = round(statistics.median(run.per_second for run in runs))
        busy = statistics.median(run.busy for run in runs)
        speed = round(statistics.median(_speeds(runs)))
        note = f"{speed} per CPU-second, {busy:.0%} of its core"
        yield Row(f"  {name}", rate, "requests per second", note=note, per_cpu_second=speed)


def latency(world: World, peers: Sequence[tuple[Program, str, float | None]], effort: Effort) -> Iterator[Row]:
    """p50 and p99 at one rate for all: 60 % of what the slowest can do."""
    with world.gateway() as gateway:
        cookie = cognito_sized(world, sign_in(gateway.url + "/1k"))
        everyone = [(gateway, cookie), *((peer, theirs) for peer, theirs, _ in peers)]
        limits = [
            wrk(program, "/1k", script(world.folder, program.name, its), seconds=effort.seconds).per_second
            for program, its in everyone
        ]
        rate = 0.6 * min(limits)
        for program, its in everyone:
            took = [paced(program, "/1k", its, rate=rate, seconds=effort.seconds) for _ in range(effort.pairs)]
            for name, values in (("p50", [t.p50 for t in took]), ("p99", [t.p99 for t in took])):
                note = f"at {rate:.0f} requests per second"
                yield bounded(f"{name} {program.name}", statistics.median(values), "ms", None, note)


def bodies(world: World, effort: Effort) -> Iterator[Row]:
    """1 MiB down and up."""
    with world.gateway() as gateway, world.nginx() as nginx:
        cookie = sign_in(gateway.url + "/1k")
        down = script(world.folder, "down", cookie)
        up = script(world.folder, "up", cookie, upload=MIB)
        for name, path, lua in (("1 MiB down", "/1m", down), ("1 MiB up", "/up", up)):
            loads = interleaved([(gateway, lua), (nginx, lua)], path, effort)
            ours, theirs = ([speed * MIB / KIB for speed in _speeds(loads[n])] for n in ("gateway", "nginx"))
            yield compared(name, "KiB per CPU-second", ours, theirs, "nginx", 0.8)


def start(world: World, effort: Effort) -> Iterator[Row]:
    """From the command to the first answer, and memory at rest."""
    times, sizes = [], []
    for _ in range(effort.pairs):
        with world.gateway() as gateway:
            times.append(gateway.started_in)
            sizes.append(gateway.resident() / MIB)
    yield bounded("start to first answer", statistics.median(times), "seconds", 0.7)
    yield bounded("resident memory at rest", statistics.median(sizes), "MiB", 70)


def large(world: World) -> Iterator[Row]:
    """1 GiB each way past a slow end: what it adds to resident memory."""
    with world.gateway() as gateway:
        cookie = sign_in(gateway.url + "/1k")
        yield bounded("1 GiB down, slow reader: growth", memory.down(gateway, cookie) / MIB, "MiB", 16)
    with memory.slow_upstream(world) as gateway:
        cookie = sign_in(gateway.url + "/1k")
        yield bounded("1 GiB up, slow upstream: growth", memory.up(gateway, cookie) / MIB, "MiB", 16)


def workers(world: World, effort: Effort) -> Iterator[Row]:
    """Two workers by one, on both cores, which the load generator shares."""
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(effort.pairs):
        for count, rates in speeds.items():
            with world.workers(count) as gateway:
                lua = script(world.folder, "workers", sign_in(gateway.url + "/1k"))
                rates.append(wrk(gateway, "/1k", lua, seconds=effort.seconds).per_second)
    row = compared("two workers", "requests per second", speeds[2], speeds[1], "one worker", None)
    yield replace(row, note="load generator and upstream on the same cores")
