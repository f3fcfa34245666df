"""Generate load with wrk, and count what the proxy used for it."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.processes import LOAD_CORE, Program

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
    "Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Sec-Ch-Ua": '"Chromium";v="131", "Not_A Brand";v="24"',
    "Sec-Ch-Ua-Mobile": "?0",
    "Sec-Ch-Ua-Platform": '"Linux"',
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "Upgrade-Insecure-Requests": "1",
    "Referer": "http://127.0.0.1/page",
}
"""What Chromium sends with a navigation."""

_LONG = re.compile(r"(\d+) requests in ([\d.]+)(m?s), ([\d.]+)(\w+) read")
_BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


@dataclass(frozen=True)
class Load:
    """What one run did."""

    requests: int
    seconds: float
    cpu: float
    """Of the proxy."""

    @property
    def per_cpu_second(self) -> float:
        return self.requests / self.cpu

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def busy(self) -> float:
        """Share of its core that the proxy used."""
        return self.cpu / self.seconds


def script(folder: Path, name: str, cookie: str, *, upload: int = 0) -> Path:
    """A wrk script with a browser's headers, the session and, for an upload, a body."""
    lines = [f"wrk.headers[{key!r}] = {value!r}" for key, value in {**BROWSER, "Cookie": cookie}.items()]
    if upload:
        lines += ['wrk.method = "POST"', f'wrk.body = string.rep("x", {upload})']
    file = folder / f"{name}.lua"
    file.write_text("\n".join(lines))
    return file


def wrk(program: Program, path: str, lua: Path, *, seconds: float, connections: int = 32) -> Load:
    """Load `program` for a while. Raises RuntimeError when an answer was not 2xx."""
    command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(lua)]
    before = program.cpu()
    out = subprocess.run([*command, program.url + path], capture_output=True, text=True, check=True).stdout
    cpu = program.cpu() - before
    done, bad = _LONG.search(out), _BAD.search(out)
    if done is None or bad is not None:
        raise RuntimeError(f"{program.name}{path}: {out}")
    elapsed = float(done[2]) / (1000 if done[3] == "ms" else 1)
    return Load(int(done[1]), elapsed, max(cpu, 0.01))
