"""Carry what one hosted page knows to the next, readable by the browser but not changeable: the cookie `page-data`.

The page repeats it in a hidden field, so that two tabs in the middle of two journeys do not mix. Losing it loses
comfort only: the pages ask for the username again, and confirming does not sign in.
"""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from itsdangerous import BadData as BadSignature
from itsdangerous import URLSafeSerializer

COOKIE: Final = "page-data"
FIELD: Final = "page_data"
LIFETIME: Final = 3600
"""Seconds that a journey may take between two pages: a code by e-mail may be slow."""
SIGN_IN_TIME: Final = 900
"""Seconds in which confirming may sign in whoever gave the password in this browser (AuthSessionValidity's maximum)."""
_LABEL: Final = "cognito-gateway pool page-data v1"

Purpose = Literal["confirm", "reset", "new-password", "notice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageData:
    """One journey. `password_given_at` is 0 unless this browser gave the account's password; times in seconds."""

    purpose: Purpose
    at: int
    username: str = ""
    destination: str = ""
    medium: str = "EMAIL"
    password_given_at: int = 0
    session: str = ""
    notice: str = ""

    def may_sign_in(self, now: int) -> bool:
        """Whether confirming the account may also sign in."""
        return 0 <= now - self.password_given_at < SIGN_IN_TIME


class PageDataSeal:
    """Sign and read page data under one key."""

    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeSerializer(key, salt=_LABEL, signer_kwargs={"digest_method": hashlib.sha256})

    def write(self, data: PageData) -> str:
        """The signed text."""
        return str(self._serializer.dumps(asdict(data)))

    def read(self, text: str, purpose: Purpose, now: int) -> PageData | None:
        """The data if it is ours, of this purpose and not too old; else None, whatever the cause."""
        if not text:
            return None
        try:
            fields: dict[str, Any] = self._serializer.loads(text)
        except BadSignature:
            return None
        data = PageData(**fields)
        return data if data.purpose == purpose and 0 <= now - data.at < LIFETIME else None
