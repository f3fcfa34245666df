"""Turn what was granted into tokens: codes, refresh tokens, a client's own credentials."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.errors import GatewayError
from gateway.pool.records import AppClient, User


class OAuthError(GatewayError):
    """A refusal as OAuth 2.0 words it: `error` is the code, `description` (often empty) its text."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description
        self.status = status
        self.public = description or error


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """What the token endpoint gives; absent tokens are `None`. `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int


class Grants:
    """Every method raises `OAuthError`."""

    async def issue_code(
        self, client: AppClient, user: User, *, redirect_uri: str, scopes: Sequence[str], nonce: str | None,
        code_challenge: str | None, auth_time: int, now: int, resource: str | None = None,
    ) -> str: ...  # fmt: skip

    async def redeem(
        self, client: AppClient, *, code: str, redirect_uri: str, code_verifier: str | None, now: int
    ) -> TokenAnswer: ...

    async def refresh(self, client: AppClient, *, refresh_token: str, now: int) -> TokenAnswer: ...

    async def client_credentials(self, client: AppClient, *, scope: str | None, now: int) -> TokenAnswer: ...

    async def revoke(self, client: AppClient, *, token: str, now: int) -> None: ...

    async def user_info(self, access_token: str, now: int) -> dict[str, str]: ...
