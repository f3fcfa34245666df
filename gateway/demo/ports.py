"""Choose the demo's three ports, and say clearly when they cannot be had."""

import errno
import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from gateway.errors import SettingsError
from gateway.serving import cannot_listen

HOST = "127.0.0.1"
_DEFAULTS = {"POOL_PORT": 8001, "APP_PORT": 8002, "GATEWAY_PORT": 8000}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where pool, sample application and gateway listen."""

    pool: int
    app: int
    gateway: int


def choose(environ: Mapping[str, str]) -> Ports:
    """The ports that the environment names, or the usual ones. Raises SettingsError with every mistake in it."""
    mistakes: list[str] = []
    chosen = {name: _port(name, environ.get(name) or str(default), mistakes) for name, default in _DEFAULTS.items()}
    if not mistakes and len(set(chosen.values())) < len(chosen):
        mistakes.append("POOL_PORT, APP_PORT and GATEWAY_PORT must differ")
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return Ports(chosen["POOL_PORT"], chosen["APP_PORT"], chosen["GATEWAY_PORT"])


def _port(name: str, text: str, mistakes: list[str]) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535:
        return int(text)
    mistakes.append(f"{name} must be a port, a number from 1 to 65535")
    return 0


def check_free(ports: Ports) -> None:
    """Raise SettingsError that names every port in use.

    Browsers try ::1 for `localhost` too: another program there would answer in the demo's place.
    """
    busy = []
    for name, port in (("POOL_PORT", ports.pool), ("APP_PORT", ports.app), ("GATEWAY_PORT", ports.gateway)):
        for host, family in ((HOST, socket.AF_INET), ("::1", socket.AF_INET6)):
            if problem := _problem(host, family, port, f"{name}={_other(port)} make demo"):
                busy.append(problem)
                break
    if busy:
        raise SettingsError("\n".join(busy))


def _other(port: int) -> int:
    return port + 1000 if port + 1000 <= 65535 else port - 1000


def _problem(host: str, family: socket.AddressFamily, port: int, setting: str) -> str | None:
    try:
        with closing(socket.create_server((host, port), family=family)):
            return None
    except OSError as error:
        if family == socket.AF_INET6 and not isinstance(error, PermissionError) and error.errno != errno.EADDRINUSE:
            return None  # no IPv6 here
        return str(cannot_listen(host, port, setting, error))
