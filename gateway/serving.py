"""Run several applications in one loop until a signal ends them all."""

import asyncio
import errno
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import uvloop

from gateway.core.asgi import ASGIApp, Message, Receive, Scope, Send
from gateway.errors import GatewayError
from gateway.server import Limits, Running, running
from gateway.server.tuning import tune

_REASONS = {
    errno.EADDRINUSE: "is in use by another program",
    errno.EACCES: "may be opened by the system's administrator only",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
}
_ABOUT_THE_PORT = {errno.EADDRINUSE, errno.EACCES}

POOL_LIMITS = Limits(header_bytes=128 * 1024)
"""Of a user pool's listener: userInfo is sent access tokens of up to 96 KiB, beside the usual 32 KiB of a head."""


class CannotListen(GatewayError):
    """An address cannot be listened on; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An application and where it listens. `setting` is what the operator changes to move it."""

    app: ASGIApp
    host: str
    port: int
    setting: str
    limits: Limits = field(default_factory=Limits)


def cannot_listen(host: str, port: int, setting: str, error: OSError) -> CannotListen:
    """The error of the system, in words."""
    words = (error.strerror or str(error)).partition(" (while ")[0]  # asyncio puts the address there once more
    reason = _REASONS.get(error.errno or 0, f"cannot be listened on ({words})")
    if error.errno not in _ABOUT_THE_PORT and setting.endswith(".port"):
        setting = f"{setting.removesuffix('port')}host"
    return CannotListen(f"{f'[{host}]' if ':' in host else host}:{port} {reason}; {setting} changes it")


def run(listeners: Sequence[Listener], ready: Callable[[Sequence[Running]], None], *, grace: float = 10) -> None:
    """Serve all listeners in this process until SIGINT or SIGTERM; `ready` is told when all of them accept.

    The last one stops first, as it may need the others. Raises CannotListen, and any GatewayError for which an
    application does not start.
    """

    def started(servers: Sequence[Running]) -> None:
        tune()
        ready(servers)

    run_loop(serve_until_signal(listeners, started, grace=grace))


def run_loop(serving: Coroutine[Any, Any, None]) -> None:
    """Run, in a loop of its own, what serves until a signal. Raises KeyboardInterrupt if a second one cut it short."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serving)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def serve_until_signal(
    listeners: Sequence[Listener], ready: Callable[[Sequence[Running]], None], *, grace: float = 10
) -> None:
    """As `run`, within a loop."""
    stop = asyncio.Event()
    loop, ours = asyncio.get_running_loop(), asyncio.current_task()
    assert ours is not None

    def asked() -> None:
        if stop.is_set():  # a second Ctrl-C does not wait for anybody, and what it tears is not news
            logging.disable()
            ours.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    try:
        async with AsyncExitStack() as stack:
            ready([await _start(stack, listener, grace) for listener in listeners])
            await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _start(stack: AsyncExitStack, listener: Listener, grace: float) -> Running:
    start = _Start(listener.app)
    host, port, limits = listener.host, listener.port, listener.limits
    serving = running(listener.app, host=host, port=port, limits=limits, grace=grace, lifespan=start)
    try:
        return await stack.enter_async_context(serving)
    except OSError as error:
        raise cannot_listen(listener.host, listener.port, listener.setting, error) from error
    except RuntimeError:
        if start.mistake is None:
            raise
        raise start.mistake from None


class _Start:
    """An application's lifespan that remembers the user's mistake for which it did not start: servers only log a
    traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.mistake: GatewayError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: Message | None = None

        async def held_back(message: Message) -> None:
            nonlocal failed
            if message["type"] == "lifespan.startup.failed":  # its text is a traceback
                failed = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, held_back)
        except GatewayError as error:
            self.mistake, failed = error, failed and {"type": failed["type"]}
            raise
        finally:
            if failed is not None:
                await send(failed)
