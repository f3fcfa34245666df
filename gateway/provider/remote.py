"""Hold one document of the provider until a newer one has been read."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Generic, TypeVar

from gateway.core.jwks import Fetch, fetch_decision
from gateway.errors import ProviderUnavailable

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Asker(Enum):
    """For whom a document is wanted. Strangers wait after every attempt; the gateway only after its own."""

    GATEWAY = "a sign-in or a refresh: tokens that the provider itself has just given"
    STRANGER = "whoever brings a token"


def _anything(_: object) -> bool:
    return True


class Remote(Generic[T]):
    """A document that `fetch` brings, or raises ProviderUnavailable. `clock` counts seconds.

    There is one fetch at a time, and a failed one takes nothing away. `held` stays the same object while newer
    documents say the same.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Callable[[], float], what: str = "it") -> None:
        """`what` it is, in the log: each fetch that fails is a warning."""
        self._what = what
        self._fetch = fetch
        self._clock = clock
        self._fetched_at = 0.0
        self._attempted_at: dict[Asker, float] = {}
        self._under_way: asyncio.Task[None] | None = None
        self.held: T | None = None
        self.failure: ProviderUnavailable | None = None

    async def get(self, has: Callable[[T], bool] = _anything, asker: Asker = Asker.GATEWAY) -> T:
        """What is held, after a fetch where `fetch_decision` wants one. It may still not have what `has` looks for.

        Raises ProviderUnavailable when nothing is held.
        """
        decision = self._decide(has, asker)
        if decision is Fetch.FIRST:
            await asyncio.shield(self._start(asker))
        elif decision is Fetch.BEHIND:
            self._start(asker)
        if self.held is None:
            raise ProviderUnavailable(str(self.failure or "nothing was fetched yet")) from self.failure
        return self.held

    def current(self) -> T | None:
        """What is held, at once; when it is old, a newer one is fetched behind it. Needs a running loop."""
        if self.held is not None and self._decide(_anything, Asker.STRANGER) is Fetch.BEHIND:
            self._start(Asker.STRANGER)
        return self.held

    async def fetch(self) -> None:
        """Fetch now, or join the fetch under way. Never raises for the provider: see `held` and `failure`."""
        # Shielded: a browser that goes away must not take the fetch from everybody else who waits for it.
        await asyncio.shield(self._start(Asker.STRANGER))

    def _decide(self, has: Callable[[T], bool], asker: Asker) -> Fetch:
        now, attempted_at = self._clock(), self._attempted_at.get(asker)
        return fetch_decision(
            age=None if self.held is None else now - self._fetched_at,
            known=self.held is not None and has(self.held),
            since_attempt=None if attempted_at is None else now - attempted_at,
        )

    def _start(self, asker: Asker) -> asyncio.Task[None]:
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._run(asker))
        return self._under_way

    async def _run(self, asker: Asker) -> None:
        try:
            fetched = await self._fetch()
            self.held = fetched if fetched != self.held else self.held
            self.failure, self._fetched_at = None, self._clock()
        except ProviderUnavailable as error:
            self.failure = error
            _log.warning("%s cannot be fetched: %s", self._what, error)
        finally:
            self._under_way = None
            self._attempted_at |= dict.fromkeys({asker, Asker.STRANGER}, self._clock())
