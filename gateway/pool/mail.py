"""Send the pool's e-mails: to a mailbox page for development, to a folder, or over SMTP."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One e-mail. `code` is the one-time code in it, for the development mailbox; `at` is when it was sent."""

    to: str = field(repr=False)
    subject: str
    body: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    at: int


class Mailer(Protocol):
    """Takes an e-mail for delivery. Never raises for a delivery that fails, and takes the same time for all."""

    async def send(self, mail: Mail) -> None: ...

    async def aclose(self) -> None: ...


class DevelopmentMailbox:
    """Keeps the newest e-mails in memory: `.mails`, newest first. Given `show`, also prints each one (as text)."""

    mails: list[Mail]
