"""Serve what the gateway is compared with in its own process: `python -m bench.serve KIND PORT SETTINGS UPSTREAM`.

bare   an ASGI application that answers 1 KiB, on the gateway's server: the ceiling
gate   the gateway as a middleware round that application: the cost of the gate alone
proxy  the reverse proxy alone: the cost of the data plane
gateway  the whole, with a number of workers
"""

import os
import sys
from pathlib import Path

from gateway.app import Gateway, build
from gateway.core.asgi import ASGIApp, Receive, Scope, Send
from gateway.proxy.app import ReverseProxy
from gateway.proxy.options import UpstreamOptions
from gateway.server import serve
from gateway.settings.load import load

BODY = b"x" * 1024
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"1024")],
}


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """1 KiB, whatever is asked."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(START)
    await send({"type": "http.response.body", "body": BODY})


def chosen(kind: str, settings: str, upstream: str) -> ASGIApp:
    """The application of that name."""
    if kind == "gate":
        return Gateway(bare, Path(settings))
    return bare if kind == "bare" else ReverseProxy([UpstreamOptions(servers=(upstream,))])


def built() -> ASGIApp:
    """The gateway of the settings file that the environment names: what each of several workers calls."""
    return build(load(Path(os.environ["BENCH_SETTINGS"]), os.environ))


def main(kind: str, port: str, settings: str, upstream: str = "", workers: str = "1") -> None:
    """Serve until a signal."""
    if kind == "gateway":
        os.environ["BENCH_SETTINGS"] = settings
        serve("bench.serve:built", port=int(port), workers=int(workers), factory=True)
    else:
        serve(chosen(kind, settings, upstream), port=int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
