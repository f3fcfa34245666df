"""Install an application that nobody here wrote, at one version, and run it on a free loopback port."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".make/apps"
PATIENCE = 120
"""Seconds until an application that does not listen counts as stuck."""


def python_app(*packages: str) -> Path:
    """The `bin` folder of an environment of its own that holds `packages`."""
    home = FOLDER / hashlib.sha256(repr(packages).encode()).hexdigest()[:12]
    if not (home / ".complete").exists():
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, home], check=True)
        command: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", home / "bin/python", *packages]
        subprocess.run(command, check=True)
        (home / ".complete").touch()
    return home / "bin"


def node_app(*packages: str) -> Path:
    """The `node_modules/.bin` folder of a project of its own that holds `packages`."""
    home = FOLDER / hashlib.sha256(repr(packages).encode()).hexdigest()[:12]
    if not (home / ".complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--prefix",
            home,
            *packages,
        ]
        subprocess.run(command, check=True, cwd=home)
        (home / ".complete").touch()
    return home / "node_modules/.bin"


@asynccontextmanager
async def running_app(
    command: Sequence[str | Path], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """`command`, in `folder`, once its port takes connections. Raises AssertionError with the end of its output."""
    output = folder / "output"
    with output.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env={**os.environ, "HOME": str(folder), **(environment or {})},
        )
    try:
        await _listens(process, port, output)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _listens(process: asyncio.subprocess.Process, port: int, output: Path) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while process.returncode is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)  # a program of others has no other way to say that it listens
    except TimeoutError:
        pass
    said = await asyncio.to_thread(output.read_text, errors="replace")
    raise AssertionError(f"the application does not listen: {said[-2000:]}")
