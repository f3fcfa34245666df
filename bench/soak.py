"""Two million requests of mixed kinds through the gateway: no error, flat memory, no descriptor left (`make soak`).

Pages and small forms of somebody signed in, 1 MiB down and up, strangers who are sent to sign in, 500 clients at once
who leave in the middle, and 64 WebSockets with as many messages as they can send.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import yaml

from bench.cookie import cognito_sized
from bench.load import script, wrk
from bench.processes import Program
from bench.signin import sign_in
from bench.sockets import echo_server
from bench.websockets import echoes
from bench.world import MIB, World, world

TOTAL = 2_000_000
_GROWTH = 4 * MIB
"""After the first tenth; the allocator's own unrest is about a tenth of this."""


def main() -> int:
    """0 when all held, else 1 and what did not."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=TOTAL)
    total = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as the_world, echo_server(the_world) as port:
        _serve_websockets(the_world.folder / "gateway.yaml", f"http://127.0.0.1:{port}")
        with the_world.gateway() as gateway:
            return _soak(the_world, gateway, total)


def _serve_websockets(file: Path, echo: str) -> None:
    settings = yaml.safe_load(file.read_text())
    settings["upstreams"].append({"path": "/ws", "url": echo})
    file.write_text(yaml.safe_dump(settings))


def _soak(the_world: World, gateway: Program, total: int) -> int:
    cookie = cognito_sized(the_world, sign_in(gateway.url + "/1k"))
    kinds = [
        ("/1k", script(the_world.folder, "get", cookie), 32),
        ("/up", script(the_world.folder, "small", cookie, upload=2048), 32),
        ("/1m", script(the_world.folder, "large", cookie), 8),
        ("/up", script(the_world.folder, "upload", cookie, upload=MIB), 8),
        ("/1k", script(the_world.folder, "stranger", "theme=dark"), 32),
        ("/1k", script(the_world.folder, "many", cookie), 500),
    ]
    done, settled, messages = 0, 0, 0
    descriptors = _descriptors(gateway)
    while done < total:
        for path, lua, connections in kinds:
            seconds = 10 if path == "/1k" else 3
            done += wrk(gateway, path, lua, seconds=seconds, connections=connections).requests
        messages += echoes(gateway, cookie, seconds=3).messages
        if not settled and done >= total / 10:
            settled = gateway.resident()
        print(
            f"{done:>10,} requests, {messages:>10,} messages, {gateway.resident() / MIB:.1f} MiB, "
            f"{_descriptors(gateway)} descriptors",
            flush=True,
        )
    return _judged(gateway, descriptors, settled or gateway.resident())


def _judged(gateway: Program, descriptors: int, settled: int) -> int:
    deadline = time.monotonic() + 120
    while _descriptors(gateway) > descriptors and time.monotonic() < deadline:
        time.sleep(1)  # kept connections to the upstream close after their time
    grown, left = gateway.resident() - settled, _descriptors(gateway) - descriptors
    if grown > _GROWTH:
        print(f"memory grew by {grown / MIB:.1f} MiB after the first tenth", file=sys.stderr)
    if left > 0:
        print(f"{left} descriptors are left open", file=sys.stderr)
    return int(grown > _GROWTH or left > 0)


def _descriptors(gateway: Program) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in gateway.pids())


if __name__ == "__main__":
    sys.exit(main())
