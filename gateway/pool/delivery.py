"""Send a one-time code to a user's e-mail address, or pretend to.

The two do the same work but for the e-mail itself, so that neither answer nor time tells whether there is a user (R12).
"""

from dataclasses import dataclass
from typing import Literal

from gateway.pool.attributes import is_email, masked, normalised
from gateway.pool.codes import Codes
from gateway.pool.mail import Mail, Mailer
from gateway.pool.options import PoolOptions
from gateway.pool.records import User
from gateway.pool.storage import OneTimeCodeStore
from gateway.pool.stored import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDelivery:
    """Where a code went, masked: `destination` is like `j***@e***`. Simulated for a hidden user (R12)."""

    destination: str
    medium: Literal["EMAIL", "SMS"] = "EMAIL"
    attribute: str = "email"


@dataclass(frozen=True, slots=True)
class Named:
    """What somebody typed: the user, if there is one, and the subject under which it is counted either way."""

    typed: str
    user: User | None
    subject: str


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail with a code that is kept already; without `mail` it is a pretended one to `pretended`."""

    mail: Mail | None
    pretended: str = ""


class Delivery:
    """Codes on their way to their owners."""

    def __init__(self, options: PoolOptions, codes: Codes, mailer: Mailer) -> None:
        self._options = options
        self._codes = codes
        self._mailer = mailer

    def confirms(self, user: User) -> bool:
        """Whether this user's sign-up is confirmed by a code."""
        return "email" in self._options.auto_verified and bool(user.attributes.get("email"))

    async def issue(self, store: OneTimeCodeStore, purpose: Purpose, user: User, now: int) -> Letter:
        """A new code, for the address that is on record, never for what was typed."""
        code = await self._codes.issue(store, purpose, user, now)
        words = self._options.mail
        body = words.verification_body.replace("{####}", code)
        to = user.attributes["email"]
        return Letter(Mail(to=to, subject=words.verification_subject, body=body, code=code, at=now))

    async def pretend(self, store: OneTimeCodeStore, purpose: Purpose, named: Named, now: int) -> Letter:
        """Keep a code that nothing matches; the destination is always the same for one name (reference §6.7)."""
        await self._codes.decoy(store, purpose, named.subject, now)
        return Letter(None, self._pretended(named.typed))

    async def send(self, letter: Letter) -> CodeDelivery:
        """Hand the e-mail over, once the transaction that issued its code has ended well."""
        if letter.mail is None:
            return CodeDelivery(destination=letter.pretended)
        await self._mailer.send(letter.mail)
        return CodeDelivery(destination=masked("email", letter.mail.to))

    def _pretended(self, typed: str) -> str:
        name = normalised(self._options, typed)
        if is_email(name):
            return masked("email", name)
        letters = [chr(ord("a") + octet % 26) for octet in self._codes.fingerprint(name)[:2]]
        return f"{letters[0]}***@{letters[1]}***"
