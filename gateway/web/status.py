"""Tell probes whether the process lives, and whether it takes requests."""

from collections.abc import Callable

from starlette.responses import Response

from gateway.core.asgi import Receive, Scope
from gateway.web.answers import json, plain


async def livez(scope: Scope, receive: Receive, now: int) -> Response:
    """200 for as long as the event loop turns."""
    del scope, receive, now
    return plain(200, "ok\n")


class Readiness:
    """200 from start to the beginning of the stop. A provider that is down does not make the gateway unready: those who
    are signed in are served."""

    def __init__(self, provider_ready: Callable[[], bool], trouble: Callable[[], str]) -> None:
        """`trouble`: why the provider is not ready, as far as it is known."""
        self._provider_ready = provider_ready
        self._trouble = trouble
        self.accepting = True

    async def readyz(self, scope: Scope, receive: Receive, now: int) -> Response:
        """The answer, with the provider's state for whoever looks."""
        del scope, receive, now
        state = {"ready": self.accepting, "provider": "ready" if self._provider_ready() else "waiting"}
        reason = self._trouble()
        return json(200 if self.accepting else 503, {**state, "reason": reason} if reason else state)
