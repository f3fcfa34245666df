"""Keep the whole session in its cookie, sealed."""

from gateway.core.seal import Box, KeyRing
from gateway.core.session import Session, pack, unpack
from gateway.errors import BadData

PURPOSE = "session"


class CookieStore:
    """A store without a memory: the browser keeps what only this gateway (its cookie, issuer and client) can open.

    It cannot forget: a session that ended is known to have ended only in the process that ended it, see
    `gateway.sessions.ended`.
    """

    def __init__(self, ring: KeyRing, *, cookie_name: str, issuer: str, client_id: str) -> None:
        self._box: Box = ring.box(PURPOSE, cookie_name, issuer, client_id)

    def peek(self, value: str) -> Session:
        """The session. Raises BadSeal when it does not open, BadData when another release packed it."""
        return unpack(self._box.open(value))

    async def load(self, value: str, now: int) -> Session | None:  # noqa: ARG002 - a store with a memory needs it
        """The session, or None."""
        try:
            return self.peek(value)
        except BadData:
            return None

    async def save(self, session: Session, now: int) -> str:  # noqa: ARG002 - a store with a memory needs it
        """The sealed session. Raises BadData for a session that is too large."""
        return self._box.seal(pack(session))

    async def end(self, session: Session, now: int) -> None:
        """Nothing to forget."""
