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
from gateway.pool.stored import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDelivery:
    """Where a code went, masked: `destination` is like `j***@e***`. Simulated for a hidden user (R12)."""

    destination: str
    medium: Literal["EMAIL", "SMS"] = "EMAIL"
    attribute: str = "email"


class Delivery:
    """Codes on their way to their owners."""

    def __init__(self, options: PoolOptions, codes: Codes, mailer: Mailer) -> None:
        self._options = options
        self._codes = codes
        self._mailer = mailer

    def confirms(self, user: User) -> bool:
        """Whether this user's sign-up is confirmed by a code."""
        return "email" in self._options.auto_verified and bool(user.attributes.get("email"))

    async def send(self, purpose: Purpose, user: User, now: int) -> CodeDelivery:
        """Issue a code and e-mail it to the address that is on record, never to what was typed."""
        address = user.attributes["email"]
        code = await self._codes.issue(purpose, user.sub, now)
        words = self._options.mail
        body = words.verification_body.replace("{####}", code)
        await self._mailer.send(Mail(to=address, subject=words.verification_subject, body=body, code=code, at=now))
        return CodeDelivery(destination=masked("email", address))

    async def pretend(self, purpose: Purpose, typed: str, subject: str, now: int) -> CodeDelivery:
        """Keep a code that nothing matches; the destination is always the same for one name (reference §6.7)."""
        await self._codes.decoy(purpose, subject, now)
        name = normalised(self._options, typed)
        if is_email(name):
            return CodeDelivery(destination=masked("email", name))
        letters = [chr(ord("a") + octet % 26) for octet in self._codes.fingerprint(name)[:2]]
        return CodeDelivery(destination=f"{letters[0]}***@{letters[1]}***")
