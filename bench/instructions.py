"""Count the instructions of one signed-in GET, here and in other checkouts: `python -m bench.instructions [FOLDER...]`.

Needs valgrind. Where other work on the machine makes times useless, a count differs by about 1 % from run to run.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.cookie import cognito_sized
from bench.load import BROWSER
from bench.processes import is_open
from bench.signin import sign_in
from bench.world import World, world

HERE = Path(__file__).parents[1]
WARM, COUNTED = 100, 400
PATIENCE = 150
"""Seconds until a gateway under valgrind that does not listen counts as stuck."""


def main() -> None:
    """Print a line for each tree."""
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as the_world:
        for number, tree in enumerate([HERE, *map(Path, sys.argv[1:])]):
            counted = instructions(the_world, tree.resolve(), Path(folder) / f"callgrind-{number}")
            print(f"{counted:>10,.0f} instructions per request  {tree}", flush=True)


def instructions(the_world: World, tree: Path, out: Path) -> float:
    """Of the whole gateway in `tree`, for one request on a kept connection."""
    with gateway(the_world, tree, out) as process:
        cookie = cognito_sized(the_world, sign_in(f"http://127.0.0.1:{the_world.gateway_port}/1k"))
        drive(the_world.gateway_port, cookie, WARM)
        control(process, "-i", "on")
        drive(the_world.gateway_port, cookie, COUNTED)
        control(process, "-d")
    dumps = (file.read_text(errors="replace") for file in out.parent.glob(f"{out.name}*"))
    totals = (match for dump in dumps for match in re.findall(r"^(?:totals|summary): (\d+)", dump, re.MULTILINE))
    return max(map(int, totals)) / COUNTED


@contextlib.contextmanager
def gateway(the_world: World, tree: Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway under callgrind, which does not count yet."""
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
    command += [sys.executable, "-m", "gateway", "run", "-c", str(the_world.folder / "gateway.yaml")]
    environ = {**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}
    begun = time.monotonic()
    with (the_world.folder / "valgrind.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        while not is_open(the_world.gateway_port):
            if process.poll() is not None or time.monotonic() - begun > PATIENCE:
                raise SystemExit((the_world.folder / "valgrind.log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def control(process: subprocess.Popen[bytes], *what: str) -> None:
    subprocess.run(["callgrind_control", *what, str(process.pid)], check=True, capture_output=True)


def drive(port: int, cookie: str, count: int) -> None:
    """So many requests as a browser sends them, one after the other."""
    lines = [f"Host: 127.0.0.1:{port}", *(f"{name}: {value}" for name, value in BROWSER.items()), f"Cookie: {cookie}"]
    request = "\r\n".join(["GET /1k HTTP/1.1", *lines, "", ""]).encode()
    with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rb") as received:
        for _ in range(count):
            client.sendall(request)
            first = received.readline()
            if b" 200 " not in first:
                raise SystemExit(f"answered {first!r}")
            head = b"".join(iter(received.readline, b"\r\n"))
            length = re.search(rb"(?i)content-length: (\d+)", head)
            received.read(int(length[1]) if length else 0)


if __name__ == "__main__":
    main()
