"""Hold one document of the provider until a newer one has been read."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from gateway.core.jwks import Fetch, fetch_decision
from gateway.errors import ProviderUnavailable

T = TypeVar("T")


def _anything(_: object) -> bool:
    return True


class Remote(Generic[T]):
    """A document that `fetch` brings, or raises ProviderUnavailable. `clock` counts seconds.

    There is one fetch at a time, and a failed one takes nothing away.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._fetched_at = 0.0
        self._attempted_at: float | None = None
        self._under_way: asyncio.Task[None] | None = None
        self.held: T | None = None
        self.failure: ProviderUnavailable | None = None

    async def get(self, has: Callable[[T], bool] = _anything) -> T:
        """What is held, after a fetch where `fetch_decision` wants one. It may still not have what `has` looks for.

        Raises ProviderUnavailable when nothing is held.
        """
        decision = self._decide(has)
        if decision is Fetch.FIRST:
            await self.fetch()
        elif decision is Fetch.BEHIND:
            self._start()
        if self.held is None:
            raise ProviderUnavailable(str(self.failure or "nothing was fetched yet")) from self.failure
        return self.held

    async def fetch(self) -> None:
        """Fetch now, or join the fetch under way. Never raises for the provider: see `held` and `failure`."""
        # Shielded: a browser that goes away must not take the fetch from everybody else who waits for it.
        await asyncio.shield(self._start())

    def _decide(self, has: Callable[[T], bool]) -> Fetch:
        now = self._clock()
        return fetch_decision(
            age=None if self.held is None else now - self._fetched_at,
            known=self.held is not None and has(self.held),
            since_attempt=None if self._attempted_at is None else now - self._attempted_at,
        )

    def _start(self) -> asyncio.Task[None]:
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._run())
        return self._under_way

    async def _run(self) -> None:
        try:
            self.held = await self._fetch()
            self.failure, self._fetched_at = None, self._clock()
        except ProviderUnavailable as error:
            self.failure = error
        finally:
            self._attempted_at, self._under_way = self._clock(), None
