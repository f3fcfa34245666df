"""Accounts and what their owners may do with them: sign up, confirm, sign in, reset the password."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.errors import GatewayError
from gateway.pool.records import AppClient, User


class PoolError(GatewayError):
    """A refusal in Cognito's words: `code` is the exception's name, `public` its message (reference §5.4)."""

    status = 400

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.public = message


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDelivery:
    """Where a code went, masked: `destination` is like `j***@e***`. Simulated for a hidden user (R12)."""

    destination: str
    medium: Literal["EMAIL", "SMS"] = "EMAIL"
    attribute: str = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpResult:
    """The new user's `sub`; `delivery` is `None` when no attribute is verified by code."""

    user_sub: str
    confirmed: bool
    delivery: CodeDelivery | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInResult:
    """Signed in when `challenge` is `None`. Else `session` (3 minutes, single use) answers the challenge."""

    user: User
    challenge: Literal["NEW_PASSWORD_REQUIRED"] | None = None
    session: str | None = None


class Accounts:
    """Every method raises `PoolError`; `address` is the client's IP address, for limits per address and hour."""

    async def sign_up(
        self, client: AppClient, username: str, password: str, attributes: Mapping[str, str], now: int,
        *, address: str | None = None,
    ) -> SignUpResult: ...  # fmt: skip

    async def confirm_sign_up(self, client: AppClient, username: str, code: str, now: int) -> User: ...

    async def resend_code(
        self, client: AppClient, username: str, now: int, *, address: str | None = None
    ) -> CodeDelivery: ...

    async def sign_in(self, client: AppClient, username: str, password: str, now: int) -> SignInResult: ...

    async def set_new_password(self, client: AppClient, session: str, new_password: str, now: int) -> User: ...

    async def forgot_password(
        self, client: AppClient, username: str, now: int, *, address: str | None = None
    ) -> CodeDelivery: ...

    async def confirm_forgot_password(
        self, client: AppClient, username: str, code: str, new_password: str, now: int
    ) -> None: ...

    async def user(self, sub: str) -> User | None: ...
