"""Remember for one hour that a browser signed in at the pool: Cognito's cookie `cognito`.

The cookie is a random number; what it stands for is kept on the server under its SHA-256, so that a copy of the store
is no way in, and signing out ends the session, not only the cookie (C11). The hour runs from the last interactive
sign-in and does not slide. Each sign-in makes a new number and ends the old (R8).
"""

import hashlib
import re
import secrets
from typing import Final

from gateway.pool.records import User
from gateway.pool.storage import SsoStore
from gateway.pool.stored import SsoSession

COOKIE: Final = "cognito"
LIFETIME: Final = 3600
"""Seconds (reference §1.2: one hour, fixed)."""
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class SsoSessions:
    """Start, find and end the browser sessions in a store. Cookie values may be anything: they come from outside."""

    def __init__(self, store: SsoStore) -> None:
        self._store = store

    async def start(self, user: User, now: int) -> str:
        """A new session's cookie value, always a new one (R8)."""
        value = secrets.token_urlsafe(32)
        session = SsoSession(
            digest=_digest(value), sub=user.sub, auth_time=now, credential_version=user.credential_version,
            expires_at=now + LIFETIME,
        )  # fmt: skip
        await self._store.put(session)
        return value

    async def find(self, value: str, now: int) -> SsoSession | None:
        """The live session of a cookie value."""
        if not _SHAPE.fullmatch(value):
            return None
        session = await self._store.get(_digest(value))
        return session if session is not None and now < session.expires_at else None

    async def end(self, value: str) -> None:
        """End the session of a cookie value, if there is one."""
        if _SHAPE.fullmatch(value):
            await self._store.delete(_digest(value))


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
