"""What a provider is, as one frozen value: names, addresses and habits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.emails import EmailPolicy
from gateway.core.exchange import ClientAuthentication
from gateway.core.oidc import RESERVED_PARAMETERS, LogoutStyle
from gateway.core.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """One provider and our registration there. An endpoint that is None comes from the provider's discovery document.

    `issuer` is compared character by character with the tokens' `iss`. `client_secret` None makes a public client.
    `client_authentication` None chooses by discovery (RFC 8414 §2: Basic where it says nothing); "basic-raw" leaves out
    the form encoding of RFC 6749 §2.3.1, as Amazon documents it. `leeway` is in seconds, for `exp` alone.
    `wanted_claims` are asked for at userInfo when the ID token lacks one of them.
    `email` says which addresses are passed on as a user's; `gateway.core.emails` judges.
    `token_use_required`: both tokens are JWTs whose `token_use` is checked, and their `sub` must agree (Cognito).

    Raises ValueError for settings that can never sign anybody in.
    """

    issuer: str
    client_id: str
    client_secret: Secret | None = None
    discovery_url: str | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    jwks_uri: str | None = None
    userinfo_endpoint: str | None = None
    revocation_endpoint: str | None = None
    end_session_endpoint: str | None = None
    logout_style: LogoutStyle = "oidc"
    token_use_required: bool = False
    client_authentication: ClientAuthentication | None = None
    extra_authorize_params: Mapping[str, str] = field(default_factory=dict)
    leeway: int = 5
    wanted_claims: frozenset[str] = frozenset()
    email: EmailPolicy = "verified"

    def __post_init__(self) -> None:
        if "openid" not in self.scopes:
            # Without it there is no ID token (OpenID Connect Core §3.1.2.1), so no sign-in could ever succeed.
            raise ValueError("scopes: must contain openid")
        if taken := RESERVED_PARAMETERS.intersection(self.extra_authorize_params):
            raise ValueError(f"extra_authorize_params: {', '.join(sorted(taken))} cannot be set, the gateway sets it")
