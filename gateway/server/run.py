"""Start servers and stop them: `serve` for the command line, `running` for tests and for several in one loop."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess

from gateway.core.asgi import ASGIApp
from gateway.server.limits import Limits
from gateway.server.protocol import make_protocol
from gateway.server.tuning import tune
from gateway.server.tunnel import Tunnel

ACCEPTS = 16
"""Connections accepted in one turn of the loop. libuv takes one for each listening descriptor (since 1.45): of 500
clients that came at once, the last waited 2 s, a turn for each before it. Copies of the descriptor share one queue."""

GRACE_SECONDS = 10
"""How long requests in flight may take when the server stops; container platforms kill after 10 to 30 s."""

LAST_WORDS_SECONDS = 1
"""For clients that are still sending when their request is cut off: a connection cut at once loses the 503."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections. `port` is the real one, also when 0 was asked for."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its origin, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class _Tuned(uvicorn.Config):
    """Loaded in each worker; what has been loaded then stays for good."""

    def load(self) -> None:
        """Load the application."""
        super().load()
        tune()


def _config(kind: type[uvicorn.Config], app: ASGIApp | str, limits: Limits, **more: Any) -> uvicorn.Config:
    return kind(
        cast("Any", app),
        http=cast("Any", make_protocol(limits)),
        ws="websockets-sansio",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # who may speak for a client is decided by core.trust alone
        server_header=False,
        **more,
    )


@asynccontextmanager
async def running(  # noqa: PLR0913 - each is an option of its own, all with a default
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: Limits | None = None,
    grace: float = GRACE_SECONDS,
    certificate: tuple[str, str] | None = None,
    lifespan: ASGIApp | None = None,
) -> AsyncIterator[Running]:
    """Serve `app` in the current loop, on a free port when `port` is 0, for as long as the context lasts.

    `certificate` is (certificate file, key file) for https; `lifespan` hears of start and stop in the place of `app`.
    Any number of them may run side by side. On leaving, requests in flight get `grace` seconds, then they are
    cancelled.

    Raises:
        OSError: the port is in use, or the address is not ours.
        RuntimeError: the application's lifespan start failed.

    """
    tls = {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]} if certificate else {}
    config = _loaded(app, limits or Limits(), **tls)
    listener = _bind(host, port)
    listeners = [listener, *(listener.dup() for _ in range(ACCEPTS - 1))]
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(_loaded(lifespan, Limits()) if lifespan else config)
    try:
        await server.startup(sockets=listeners)
    except SystemExit as exit_:  # uvicorn leaves the process when a lifespan fails; a part of a program must not
        for each in listeners:
            each.close()
        raise RuntimeError("the application did not start") from exit_
    dates = asyncio.create_task(_keep_dates(server.server_state))
    try:
        address = listener.getsockname()
        yield Running(host=address[0], port=address[1], scheme="https" if certificate else "http")
    finally:
        dates.cancel()
        await _stop(server, grace)


def _loaded(app: ASGIApp, limits: Limits, **more: Any) -> uvicorn.Config:
    config = _config(uvicorn.Config, app, limits, lifespan="auto", **more)
    config.load()
    return config


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


async def _keep_dates(state: ServerState) -> None:
    while True:
        state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        await asyncio.sleep(1)


async def _stop(server: uvicorn.Server, grace: float) -> None:
    """Stop accepting, let answers finish, cancel what is left, then end the application's lifespan."""
    for listener in server.servers:
        listener.close()
    state = server.server_state
    for connection in list(state.connections):
        connection.shutdown()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace
    if state.tasks:
        _, late = await asyncio.wait(state.tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1)
            deadline = max(deadline, loop.time() + LAST_WORDS_SECONDS)
    # Neither tunnels nor refused uploads have a task to wait for, and a set tells nobody what leaves it.
    while any(map(_has_to_finish, state.connections)) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for connection in list(state.connections):
        if connection.transport is not None:
            connection.transport.abort()
    await asyncio.sleep(0)  # connection_lost runs in the next turn of the loop
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server.lifespan.shutdown(), grace)


def _has_to_finish(connection: Any) -> bool:
    return isinstance(connection, Tunnel) or getattr(connection, "is_lingering", False)


def serve(  # noqa: PLR0913 - each is an option of its own, all with a default
    app: ASGIApp | str | Callable[[], ASGIApp],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    workers: int = 1,
    factory: bool = False,
    grace: int = GRACE_SECONDS,
) -> None:
    """Serve `app` on uvloop until a signal ends it; blocks. With `factory`, `app` is called once in each process.

    With more than one worker `app` travels to new processes, so it is an import string ("package.module:name") or a
    function of a module, not an object.
    """
    config = _config(
        _Tuned,
        cast("ASGIApp", app),
        limits or Limits(),
        host=host,
        port=port,
        loop="uvloop",
        lifespan="on",
        factory=factory,
        workers=workers,
        timeout_graceful_shutdown=grace,
    )
    server = uvicorn.Server(config)
    if workers > 1:  # they share one listening socket
        Multiprocess(config, sockets=[config.bind_socket()]).run()
        return
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
