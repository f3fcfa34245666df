"""Recognise programs by the access token that they bring."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from gateway.core.asgi import HeaderList
from gateway.core.session import Session, TokenSet, groups_in
from gateway.core.tokens import MAX_TOKEN
from gateway.errors import BadToken
from gateway.sessions.service import Live

_CACHE_BYTES: Final = 16 * 2**20
"""About 1,500 of Cognito's usual tokens, 300 of its longest."""


_log = logging.getLogger(__name__)


class Verifier(Protocol):
    """Who can tell whether an access token is genuine; the provider is one."""

    async def verify_bearer(
        self, token: str, now: int, client_ids: Collection[str], audiences: Collection[str]
    ) -> Mapping[str, Any]: ...

    def keys_in_use(self) -> object: ...


def bearer_token(headers: HeaderList) -> str | None:
    """The one Bearer token of the request (RFC 6750 §2.1), or None. Two Authorization lines are none (A17)."""
    lines = [value for name, value in headers if name == b"authorization"]
    if len(lines) != 1 or len(lines[0]) > MAX_TOKEN:
        return None
    scheme, _, token = lines[0].partition(b" ")
    if scheme.lower() != b"bearer" or not token or b" " in token.strip():
        return None
    return token.strip().decode("latin-1")


class Bearers:
    """Opens access tokens into the same form as sessions. Each token is verified once, then kept until it expires or
    the provider's keys change."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        client_ids: frozenset[str],
        audiences: frozenset[str],
        groups_claim: str,
        render: Callable[[Session], HeaderList],
    ) -> None:
        """`audiences` are this service's names in `aud`; `render` makes the identity header lines, as for sessions."""
        self._verifier = verifier
        self._client_ids = client_ids
        self._audiences = audiences
        self._groups_claim = groups_claim
        self._render = render
        self._known: OrderedDict[str, Live] = OrderedDict()
        self._size = 0
        self._limit = _CACHE_BYTES
        self._judged_by: object = None

    async def recognise(self, token: str, now: int) -> Live:
        """Raises BadToken, TokenExpired, ProviderUnavailable (no keys to verify with yet)."""
        keys = self._verifier.keys_in_use()
        if keys is not self._judged_by:
            self._known.clear()
            self._size, self._judged_by = 0, keys
        live = self._known.get(token)
        if live is not None and now < live.session.access_expires_at:
            self._known.move_to_end(token)
            return live
        try:
            claims = await self._verifier.verify_bearer(token, now, self._client_ids, self._audiences)
        except BadToken as error:
            _log.debug("an access token is refused: %s", error)  # anybody can bring one
            raise
        session = _as_session(token, claims, groups_in(claims, self._groups_claim))
        live = Live(session, self._render(session), frozenset(session.groups))
        self._keep(token, live)
        return live

    def _keep(self, token: str, live: Live) -> None:
        """Remember it, at the cost of those that were asked for the longest time ago."""
        self._size += live.cost() - self._forgotten(token)
        self._known[token] = live
        while self._size > self._limit:
            self._size -= self._known.popitem(last=False)[1].cost()

    def _forgotten(self, token: str) -> int:
        known = self._known.pop(token, None)
        return 0 if known is None else known.cost()


def _as_session(token: str, claims: Mapping[str, Any], groups: tuple[str, ...]) -> Session:
    expires_at = int(claims["exp"])
    if "sub" not in claims:
        raise BadToken("no sub")
    return Session(
        id="bearer",
        version=1,
        created_at=int(claims.get("iat", 0)),
        expires_at=expires_at,
        access_expires_at=expires_at,
        refresh_at=None,
        claims=claims,
        groups=groups,
        tokens=TokenSet(id_token=None, access_token=token, refresh_token=None),
    )
