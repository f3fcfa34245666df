"""The WebSocket measures alone, at the gateway and at oauth2-proxy in turn: `python -m bench.idle_tunnels [PAIRS]`."""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.peers import oauth2_proxy
from bench.processes import Program
from bench.signin import sign_in
from bench.sockets import _echo_server, _in_front_of
from bench.websockets import echoes, idle
from bench.world import KIB, world

IDLE = 5000
SECONDS = 3


def figures(program: Program, cookie: str) -> tuple[float, float]:
    """KiB for each idle WebSocket, and echoes a CPU-second."""
    return idle(program, cookie, IDLE) / KIB, echoes(program, cookie, seconds=SECONDS).per_cpu_second


def _told(name: str, runs: Sequence[tuple[float, float]]) -> None:
    memory, speed = ([run[place] for run in runs] for place in (0, 1))
    print(
        f"{name}: {statistics.median(memory):.1f} KiB each of {IDLE} idle ({min(memory):.1f} to {max(memory):.1f}); "
        f"{statistics.median(speed):.0f} echoes a CPU-second ({min(speed):.0f} to {max(speed):.0f})"
    )


def main() -> None:
    """Every run has a fresh process, since memory that was used once is not given back."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as it, _echo_server(it) as port:
        for _ in range(pairs):
            with _in_front_of(it, port) as gateway:
                ours.append(figures(gateway, sign_in(gateway.url + "/")))
            try:
                with oauth2_proxy(it, f"http://127.0.0.1:{port}") as (peer, cookie):
                    theirs.append(figures(peer, cookie))
            except RuntimeError as error:
                print(str(error)[-300:])
    _told("gateway", ours)
    if theirs:
        _told("oauth2-proxy", theirs)


if __name__ == "__main__":
    main()
