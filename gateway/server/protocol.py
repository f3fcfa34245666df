"""uvicorn's httptools protocol, made safe for the internet."""

import functools
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.server.limits import Limits


class GatewayProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits


def make_protocol(limits: Limits) -> Callable[..., GatewayProtocol]:
    """A protocol factory for uvicorn's `http=`; it can be pickled, so that worker processes get it."""
    return functools.partial(GatewayProtocol, limits=limits)
