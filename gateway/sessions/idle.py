"""The idle cookie: when its user was last seen, sealed apart from the session.

So the session cookie is written by sign-in and refresh alone, and a slow answer can never bring back an older session.
"""

from gateway.core import cookies
from gateway.core.cookies import CookieSpec, RequestCookies
from gateway.core.seal import Box
from gateway.errors import BadData

PURPOSE = "idle"
RENEW_SECONDS = 60
"""How late the idle cookie may be at most; a tenth of the idle timeout where that is less."""


class IdleClock:
    """Reads and writes idle cookies. `timeout`: seconds without a request after which a session is not usable."""

    def __init__(self, spec: CookieSpec, box: Box, timeout: int) -> None:
        self.timeout = timeout
        self.renew_after = min(RENEW_SECONDS, max(1, timeout // 10))
        self._spec = spec
        self._box = box

    def seen(self, found: RequestCookies, session_id: str, now: int) -> int:
        """When the idle cookie says that this session's user was last seen; 0 when it says nothing usable.

        A time to come (another replica's clock) counts as now.
        """
        return max((self._read(value, session_id, now) for value in found.values(self._spec.name)), default=0)

    def write(self, session_id: str, now: int, max_age: int) -> bytes:
        """The Set-Cookie value that says: seen now."""
        return cookies.write(self._spec, self._box.seal(f"{session_id} {now}".encode()), max_age)

    def _read(self, value: str, session_id: str, now: int) -> int:
        try:
            found_id, seen = self._box.open(value).decode().split(" ")
            return min(int(seen), now) if found_id == session_id else 0
        except (BadData, ValueError):
            return 0
