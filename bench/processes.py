"""Start programs on a core of their own, read what they used, end them."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PROXY_CORE, LOAD_CORE = 0, 1
"""The proxy under test has one core for itself; load generator and upstream share the other."""


@dataclass
class Program:
    """A running program, its children included."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    started_in: float = 0.0
    """Seconds from its start to its first answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pids(self) -> list[int]:
        found, left = [], [self.process.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    left += [int(child) for child in (task / "children").read_text().split()]
        return found

    def cpu(self) -> float:
        """Seconds of user and system time so far."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def resident(self) -> int:
        """Bytes of memory that belong to it alone or are shared, added up over its processes."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
        return total


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], port: int, *, core: int | None, env: dict[str, str] | None = None, log: Path
) -> Iterator[Program]:
    """`command`, once its port answers, until the context ends. Raises RuntimeError with the end of its log."""
    pinned = ["taskset", "-c", str(core), *command] if core is not None else list(command)
    with log.open("wb") as out:
        begun = time.perf_counter()
        process = subprocess.Popen(pinned, stdout=out, stderr=out, env={**os.environ, **(env or {})})
        program = Program(name, port, process)
        try:
            while not is_open(port):
                if process.poll() is not None or time.perf_counter() - begun > 30:
                    tail = log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{name} did not start: {' '.join(command)}\n{tail}")
                time.sleep(0.005)
            program.started_in = time.perf_counter() - begun
            yield program
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
