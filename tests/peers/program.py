"""Run one of the node programs of this folder as a child process, and talk to it in lines of JSON."""

import asyncio
import functools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
OLDEST_NODE = (20, 19)
"""Older ones have no global WebCrypto, or cannot load these packages."""
PATIENCE = 30
"""Seconds until a program that says nothing counts as stuck; each answer takes far under one."""

_HOW = "run `make test-all`, or `npm ci` in tests/peers"


class PeerMissing(Exception):
    """What these tests are about is not installed."""


@functools.cache
def node() -> str:
    """Where node is: what `npm ci` brought, else the system's. Raises PeerMissing when anything is not there."""
    if _versions(FOLDER / "package-lock.json") != _versions(MODULES / ".package-lock.json"):
        raise PeerMissing(f"tests/peers/node_modules is missing, or is not what package-lock.json says: {_HOW}")
    # Debian 12 has node 18, which is too old for these packages; its npm can still fetch a newer one.
    brought = next(MODULES.glob("node-*/bin/node"), None)
    path = str(brought) if brought else shutil.which("node")
    if path is None:
        raise PeerMissing(f"there is no node on this system: {_HOW}")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, said.lstrip("v").split(".")[:2])) < OLDEST_NODE:
        raise PeerMissing(f"node {'.'.join(map(str, OLDEST_NODE))} or newer is needed, this is {said}")
    return path


def _versions(lock: Path) -> dict[str, str]:
    """Version of each package in a lock; npm leaves one behind for what it installed."""
    try:
        packages = json.loads(lock.read_bytes())["packages"]
    except FileNotFoundError:
        return {}
    return {name: entry["version"] for name, entry in packages.items() if name and not entry.get("optional")}


@dataclass
class Program:
    """A program that runs. Each line that it prints is an event: an object with the key `event`."""

    process: asyncio.subprocess.Process
    complaints: Path
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of that name; those before it stay in `seen`. Raises AssertionError when none comes."""
        assert self.process.stdout is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                async for line in self.process.stdout:
                    self.seen.append(json.loads(line))
                    if self.seen[-1]["event"] == name:
                        return self.seen[-1]
        raise AssertionError(f"no event {name!r} came; the program said: {self.complaints.read_text()[-2000:]}")

    async def ask(self, **question: Any) -> dict[str, Any]:
        """Send a line, and wait for the event `answer`."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        await self.process.stdin.drain()
        return await self.event("answer")

    async def events(self) -> list[dict[str, Any]]:
        """All events until now: it answers in the order in which things happen, so its answer comes last."""
        await self.ask(ask="ping")
        return [seen for seen in self.seen if seen["event"] != "answer"]

    async def stop(self) -> None:
        """End it, by its process id, and wait until it is gone."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        await self.process.communicate()


@asynccontextmanager
async def running_program(
    script: str, settings: Mapping[str, Any], folder: Path, **environment: str
) -> AsyncIterator[Program]:
    """A node program of this folder that has printed `ready`; `folder` gets what it complains about.

    Raises PeerMissing.
    """
    complaints = folder / f"{script}.stderr"
    with complaints.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            node(),
            str(FOLDER / script),
            json.dumps(settings),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, "NODE_ENV": "test", **environment},
            limit=1 << 20,
        )
    program = Program(process, complaints)
    try:
        await program.event("ready")
        yield program
    finally:
        await program.stop()
