"""Say what to ask the provider's token, userInfo and revocation endpoints, and what an answer means."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode

from gateway.core.documents import json_object
from gateway.core.secret import Secret
from gateway.errors import BadData, BadToken, ProviderRefused, ProviderUnavailable

ClientAuthentication = Literal["basic", "basic-raw", "post"]

# One year: Amazon's longest access token lives for a day, nobody's for years.
MAX_EXPIRES_IN = 31_536_000
# What RFC 6749 §5.1 lets a provider leave out. Short, so that a refresh soon settles it.
UNSAID_EXPIRES_IN = 300

# The provider's word on what was sent. Whether a user is signed out for it is for the caller to say: a wrong client
# secret, for one, is the operator's mistake.
_REFUSALS = frozenset(
    {
        "invalid_client",
        "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client", "unsupported_grant_type",
        "unsupported_token_type", "invalid_token", "insufficient_scope", "access_denied", "interaction_required",
        "login_required", "consent_required", "expired_token", "invalid_target",
    }
)  # fmt: skip
# Amazon throttles with status 400 as readily as with 429 (cognito-reference §7).
_THROTTLED = (b"TooManyRequests", b"Too many requests", b"Rate exceeded")


@dataclass(frozen=True, slots=True)
class Call:
    """A request of the back channel. The body and the headers hold secrets and never print."""

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: whole, and bounded. `date` is what the provider's clock says, "" when unsaid."""

    status: int
    body: bytes = field(repr=False)
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who we are at the token endpoint."""

    client_id: str
    client_secret: Secret | None = None
    authentication: ClientAuthentication = "basic"

    def headers(self) -> dict[str, str]:
        """The Authorization header, for a client with a secret that uses Basic."""
        if self.client_secret is None or self.authentication == "post":
            return {}
        pair = self.client_id, self.client_secret.reveal()
        if self.authentication == "basic":
            # RFC 6749 §2.3.1: each half is form-encoded first, so that a colon or an umlaut cannot shift the border.
            pair = quote_plus(pair[0]), quote_plus(pair[1])
        return {"authorization": "Basic " + b64encode(":".join(pair).encode()).decode()}

    def fields(self) -> dict[str, str]:
        """The form fields that say who we are, where the header does not."""
        if self.client_secret is None:
            return {"client_id": self.client_id}
        if self.authentication == "post":
            return {"client_id": self.client_id, "client_secret": self.client_secret.reveal()}
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """The fields of a successful token answer, not yet verified. `expires_in` is in seconds, None when unsaid.
    `date` is the answer's."""

    access_token: str = field(repr=False)
    id_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int | None
    date: str = ""


def code_call(url: str, client: Client, *, code: str, redirect_uri: str, code_verifier: str) -> Call:
    """Redeem an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5)."""
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    return _form(url, client, {**grant, "code_verifier": code_verifier})


def refresh_call(url: str, client: Client, refresh_token: str) -> Call:
    """Ask for new tokens (RFC 6749 §6)."""
    return _form(url, client, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def revoke_call(url: str, client: Client, refresh_token: str) -> Call:
    """Revoke a refresh token (RFC 7009 §2.1)."""
    return _form(url, client, {"token": refresh_token})


def userinfo_call(url: str, access_token: str) -> Call:
    """Ask for the user's claims (OpenID Connect Core §5.3.1)."""
    return Call("GET", url, {"authorization": f"Bearer {access_token}", "accept": "application/json"})


def _form(url: str, client: Client, fields: Mapping[str, str]) -> Call:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json", **client.headers()}
    return Call("POST", url, headers, urlencode({**fields, **client.fields()}).encode())


def read_tokens(answer: Answer) -> TokenAnswer:
    """The tokens in a token endpoint's answer. Raises ProviderRefused for a final no, else ProviderUnavailable."""
    document = _success(answer, "token endpoint")
    access, kind = _token(document, "access_token"), document.get("token_type")
    if access is None or not isinstance(kind, str) or kind.lower() != "bearer":
        raise ProviderUnavailable("token endpoint: no bearer access token in the answer")
    return TokenAnswer(
        access_token=access,
        id_token=_token(document, "id_token"),
        refresh_token=_token(document, "refresh_token"),
        expires_in=_lifetime(document.get("expires_in")),
        date=answer.date,
    )


def read_userinfo(answer: Answer, sub: str) -> dict[str, Any]:
    """The claims in a userInfo answer, which must be of `sub` (OpenID Connect Core §5.3.2): BadToken otherwise.

    Raises ProviderRefused and ProviderUnavailable as `read_tokens` does.
    """
    if answer.status == 401:
        # The reason may stand in WWW-Authenticate alone (RFC 6750 §3).
        raise ProviderRefused("invalid_token")
    claims = _success(answer, "userInfo endpoint")
    if claims.get("sub") != sub:
        raise BadToken("userInfo: the claims are of another user")
    return claims


def _success(answer: Answer, where: str) -> dict[str, Any]:
    if answer.status != 200:
        raise _refusal(answer, where)
    try:
        return json_object(answer.body)
    except BadData as error:
        raise ProviderUnavailable(f"{where}: the answer is {error}") from error


def _refusal(answer: Answer, where: str) -> ProviderRefused | ProviderUnavailable:
    """Which no it is: only a known final error in a 4xx is one; a WAF's page, throttling and redirects pass."""
    if answer.status in {400, 401, 403} and not any(sign in answer.body for sign in _THROTTLED):
        error, description = _error(answer.body)
        if error in _REFUSALS:
            return ProviderRefused(error, description)
    return ProviderUnavailable(f"{where}: answered {answer.status}")


def _error(body: bytes) -> tuple[str, str]:
    try:
        document = json_object(body)
    except BadData:
        return "", ""
    error, description = document.get("error"), document.get("error_description")
    shown = description if isinstance(description, str) and description.isprintable() else ""
    return (error if isinstance(error, str) else ""), shown[:200]


def _token(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    # RFC 6749 appendix A.12: visible ASCII. Anything else could not travel in a header.
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value or " " in value:
        raise ProviderUnavailable(f"token endpoint: {name} is not a token")
    return value


def _lifetime(value: object) -> int | None:
    """`expires_in` in whole seconds. A number in quotes, as Azure AD B2C writes it, is understood too."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_EXPIRES_IN:
        return None
    return int(value)
