"""Keep the provider's verification keys at hand."""

from collections.abc import Awaitable, Callable

import httpx

from gateway.core.exchange import Call
from gateway.core.jwks import KeySet, parse_key_set
from gateway.errors import BadData, ProviderUnavailable
from gateway.provider.backchannel import carry
from gateway.provider.remote import Remote


class Keys:
    """The key set at `uri()`. Old keys serve until newer ones have been read, however long the provider is away."""

    def __init__(self, uri: Callable[[], Awaitable[str]], http: httpx.AsyncClient, clock: Callable[[], float]) -> None:
        self._uri = uri
        self._http = http
        self._remote = Remote(self._fetch, clock)

    @property
    def ready(self) -> bool:
        """Whether there are keys."""
        return self._remote.held is not None

    async def some(self) -> KeySet:
        """Whatever keys there are, fetched if there are none yet. Raises ProviderUnavailable."""
        return await self._remote.get()

    async def having(self, kid: str | None) -> KeySet:
        """The key set, fetched anew for an unknown `kid` (at most once in ten seconds, however many are asked for).

        Raises ProviderUnavailable when there are no keys, or when the key may be a new one that could not be fetched.
        """
        keys = await self._remote.get(lambda held: held.pick(kid) is not None)
        if keys.pick(kid) is None and self._remote.failure is not None:
            raise ProviderUnavailable(str(self._remote.failure)) from self._remote.failure
        return keys

    async def fetch(self) -> None:
        """Fetch the keys now. Never raises for the provider."""
        await self._remote.fetch()

    async def _fetch(self) -> KeySet:
        url = await self._uri()
        answer = await carry(self._http, Call("GET", url, {"accept": "application/json"}))
        if answer.status != 200:
            raise ProviderUnavailable(f"{url}: answered {answer.status}")
        try:
            return parse_key_set(answer.body)
        except BadData as error:
            raise ProviderUnavailable(f"{url}: {error}") from error
