"""Let many callers share one piece of work: single flight."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Work under way, by key. A caller who goes away does not stop it: what it brings was paid for (G2)."""

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[str, asyncio.Task[T]] = {}

    async def share(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome of the work under way for this key; begins it when there is none. Raises what the work raises."""
        task = self._by_key.get(key)
        if task is None:
            task = self._by_key[key] = asyncio.create_task(work())
            task.add_done_callback(partial(self._landed, key))
        return await asyncio.shield(task)

    async def wait(self) -> None:
        """Until all work under way has come to its end, whatever it is."""
        pending: list[Awaitable[T]] = list(self._by_key.values())
        await asyncio.gather(*pending, return_exceptions=True)

    def _landed(self, key: str, task: "asyncio.Task[T]") -> None:
        del self._by_key[key]
        if not task.cancelled():
            task.exception()  # seen, also when every caller has gone away

    def __len__(self) -> int:
        return len(self._by_key)
