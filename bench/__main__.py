"""The benchmark's command line: `make bench`, `make bench-peers`."""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import measures, peers, sockets
from bench.awake import awake
from bench.charts import bars
from bench.processes import Program
from bench.report import Row, skipped, table, write
from bench.world import World, world

_HERE = Path(__file__).parent
_RESULTS = _HERE / "results.json"
_CHARTS = _HERE.parent / "docs" / "charts"


def main() -> int:
    """Measure, print, write; 0 when nothing failed (a missed target is a finding, not a failure)."""
    given = _arguments()
    if (os.cpu_count() or 1) < 2:
        print("Two cores are needed: one for the proxy under test, one for the load.", file=sys.stderr)
        return 2
    with contextlib.nullcontext(enter_result=False) if given.sleepy else awake() as is_awake:
        rows = _rows(given, skipped("machine", _machine(is_awake=is_awake)))
    print(table(rows))
    if not (given.quick or given.sleepy):
        write(rows, _RESULTS)
        _draw(rows)
    return 0


def _rows(given: argparse.Namespace, machine: Row) -> list[Row]:
    effort = measures.Effort(pairs=2, seconds=2) if given.quick else measures.Effort()
    print(machine.note, flush=True)
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as the_world:
        parts = [_measured(name, the_world, effort, given.peers) for name in given.only or _PARTS]
        return [machine, *(row for part in parts for row in part)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="mod_auth_openidc and oauth2-proxy beside it")
    parser.add_argument("--quick", action="store_true", help="try the benchmark itself; writes nothing")
    parser.add_argument("--sleepy", action="store_true", help="let idle cores sleep, as the machine is set up")
    parser.add_argument("--only", action="append", choices=list(_PARTS), help="one part; may be repeated")
    return parser.parse_args()


def _measured(name: str, the_world: World, effort: measures.Effort, with_peers: bool) -> Iterator[Row]:  # noqa: FBT001
    print(f"measuring {name} ...", file=sys.stderr, flush=True)
    with ExitStack() as stack:
        beside: list[tuple[Program, str, float | None]] = []
        if with_peers and name in _WITH_PEERS:
            for start, bound in ((peers.apache, None), (peers.oauth2_proxy, 2.0)):
                try:
                    beside.append((*stack.enter_context(start(the_world)), bound))
                except RuntimeError as error:
                    yield skipped(f"{name}: {start.__name__}", " ".join(str(error).split())[:300])
        try:
            yield from _PARTS[name](the_world, beside, effort, with_peers)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            yield skipped(name, f"failed: {' '.join(str(error).split())[:300]}")


_Part = Callable[[World, list[tuple[Program, str, float | None]], measures.Effort, bool], Iterator[Row]]
_PARTS: dict[str, _Part] = {
    "requests": lambda the_world, beside, effort, _: measures.requests(the_world, beside, effort),
    "latency": lambda the_world, beside, effort, _: measures.latency(the_world, beside, effort),
    "bodies": lambda the_world, _, effort, __: measures.bodies(the_world, effort),
    "memory": lambda the_world, *_: measures.large(the_world),
    "websockets": lambda the_world, _, effort, with_peers: sockets.websockets(the_world, effort, with_peers=with_peers),
    "workers": lambda the_world, _, effort, __: measures.workers(the_world, effort),
    "start": lambda the_world, _, effort, __: measures.start(the_world, effort),
}
_WITH_PEERS = frozenset(("requests", "latency"))


def _machine(*, is_awake: bool) -> str:
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    system = f"{platform.system()} {platform.release().partition('-')[0]}, {' '.join(platform.libc_ver())}"
    described = f"{system}, {os.cpu_count()} cores {_processor()}, Python {platform.python_version()}"
    return f"{described}, load before the run {busy}, idle cores {'kept awake' if is_awake else 'may sleep'}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )


def _draw(rows: list[Row]) -> None:
    """The main figure, one bar for each that was measured."""
    speeds = {row.name.strip(): row.per_cpu_second for row in rows if row.per_cpu_second is not None}
    if speeds:
        _CHARTS.mkdir(parents=True, exist_ok=True)
        bars("Signed-in requests per CPU-second, 1 KiB", "requests", speeds, _CHARTS / "requests.svg")


if __name__ == "__main__":
    sys.exit(main())
