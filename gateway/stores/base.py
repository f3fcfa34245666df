"""What every session store offers."""

from typing import Protocol

from gateway.core.session import Session


class SessionStore(Protocol):
    """Keeps sessions, keyed by the value that the session cookie carries."""

    def peek(self, value: str) -> Session:
        """The session, without I/O. Raises BadData when the value opens no session, or when only `load` can tell."""
        ...

    async def load(self, value: str, now: int) -> Session | None:
        """The session, or None. Raises StoreUnavailable."""
        ...

    async def save(self, session: Session, now: int) -> str:
        """Keep this version; the value for the session cookie. Raises StoreUnavailable."""
        ...

    async def end(self, session: Session, now: int) -> None:
        """Forget the session in every version. Raises StoreUnavailable."""
        ...
