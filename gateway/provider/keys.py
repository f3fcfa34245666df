"""Keep the provider's verification keys at hand."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from gateway.core.exchange import Call
from gateway.core.jwks import KeySet, parse_key_set
from gateway.core.tokens import key_id
from gateway.errors import BadData, BadSignature, ProviderUnavailable
from gateway.provider.backchannel import carry
from gateway.provider.remote import Asker, Remote

Claims = dict[str, Any]


class Keys:
    """The key set at `uri()`. Old keys serve until newer ones have been read, however long the provider is away."""

    def __init__(self, uri: Callable[[], Awaitable[str]], http: httpx.AsyncClient, clock: Callable[[], float]) -> None:
        self._uri = uri
        self._http = http
        self._remote = Remote(self._fetch, clock, "the provider's keys")

    @property
    def ready(self) -> bool:
        """Whether there are keys."""
        return self._remote.held is not None

    async def some(self) -> KeySet:
        """Whatever keys there are, fetched if there are none yet. Raises ProviderUnavailable."""
        return await self._remote.get()

    @property
    def trouble(self) -> str:
        """Why there are none, as far as an attempt has shown."""
        return "" if self.ready else str(self._remote.failure or "")

    def in_use(self) -> KeySet | None:
        """The keys that are held, at once; old ones are fetched anew behind it. Another object once they changed."""
        return self._remote.current()

    async def having(self, kid: str | None, asker: Asker = Asker.STRANGER) -> KeySet:
        """The key set, fetched anew for an unknown `kid` (at most once in ten seconds, however many are asked for).

        Raises ProviderUnavailable when there are no keys, or when the key may be a new one that could not be fetched.
        """
        keys = await self._remote.get(lambda held: bool(held.candidates(kid)), asker)
        if not keys.candidates(kid):
            self._raise_failure()
        return keys

    async def verified(self, token: str, verify: Callable[[KeySet], Claims], asker: Asker) -> Claims:
        """What `verify` gives for the token; once more with keys fetched anew, when it raises BadSignature.

        A rotation may keep its `kid`, or have none. Raises what `verify` and `having` raise.
        """
        keys = await self.having(key_id(token), asker)
        try:
            return verify(keys)
        except BadSignature:
            newer = await self._remote.get(lambda held: held is not keys, asker)
            if newer is keys:
                if asker is Asker.GATEWAY:
                    self._raise_failure()
                raise
        return verify(newer)

    def _raise_failure(self) -> None:
        if self._remote.failure is not None:
            raise ProviderUnavailable(str(self._remote.failure)) from self._remote.failure

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
