"""Decide what an authorization request is answered with (RFC 6749 §4.1.1, and Cognito where it says otherwise).

Nothing here redirects or reads a clock. The answers are a closed set:

    ErrorPage       the request cannot be trusted with a redirect: the pool's own `/error`
    BackToClient    the client's registered address, with `error=…`
    AuthorizeRequest, then `next_step`:
        SignIn      show the pages of sign-in
        IssueCode   the browser is signed in already: answer with a code
        BackToClient (`login_required`)
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from gateway.pool.forms import Params
from gateway.pool.grants import OAuthError
from gateway.pool.records import AppClient, ResourceServer, check_redirect_url
from gateway.pool.scopes import requested_scopes

MISMATCH: Final = "redirect_mismatch"
_INVALID_SCOPE: Final = {"error_description": "invalid_scope", "error": "invalid_request"}
"""As the real service words it, whatever its documentation says (reference §1.1)."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""BASE64URL(SHA256(verifier)) without padding is 43 characters (RFC 7636 §4.2)."""
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """Go to the pool's own error page; `query` is that page's, ready encoded.

    `asked` is the name and value of the address that is not registered, for developers.
    """

    query: str
    asked: tuple[str, str] | None = None

    def address(self, *, development: bool) -> str:
        """The page's address. Only a development pool repeats what it was asked for."""
        asked = f"&{urlencode([self.asked])}" if development and self.asked else ""
        return f"/error?{self.query}{asked}"


@dataclass(frozen=True, slots=True)
class BackToClient:
    """Go to the client's registered address."""

    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeRequest:
    """A request whose client and address are registered and whose parameters hold together."""

    client: AppClient
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    nonce: str
    code_challenge: str
    prompts: frozenset[str]
    max_age: int | None
    login_hint: str
    resource: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """Show the sign-in page."""


@dataclass(frozen=True, slots=True)
class IssueCode:
    """The browser's session suffices."""


def read_authorize(
    params: Params, client: AppClient | None, servers: Sequence[ResourceServer]
) -> AuthorizeRequest | ErrorPage | BackToClient:
    """Judge the parameters. `client` is the one registered under `client_id`; `servers` tell which scopes exist."""
    redirect_uri = params.get("redirect_uri") or _fallback(client)
    if not params.get("client_id") or (client is not None and not redirect_uri):
        return ErrorPage(urlencode(params.pairs))
    if client is None or params.repeated & {"client_id", "redirect_uri"} or redirect_uri not in client.callback_urls:
        # R5: compared as an exact string; an unknown client and a wrong address look the same.
        return mismatch(params, "redirect_uri")
    wrong = next((error for is_wrong, error in _CHECKS if is_wrong(params, client)), None)
    if wrong is not None:
        return BackToClient(error_location(redirect_uri, wrong, params.get("state")))
    try:
        scopes = requested_scopes(client, servers, params.get("scope"))
    except OAuthError:
        return BackToClient(error_location(redirect_uri, _INVALID_SCOPE, params.get("state")))
    return AuthorizeRequest(
        client=client,
        redirect_uri=redirect_uri,
        scopes=scopes,
        state=params.get("state"),
        nonce=params.get("nonce"),
        code_challenge=params.get("code_challenge"),
        prompts=frozenset(params.get("prompt").split()),
        max_age=int(params.get("max_age")) if params.get("max_age") else None,
        login_hint=params.get("login_hint"),
        resource=params.get("resource"),
    )


def mismatch(params: Params, name: str) -> ErrorPage:
    """The error page for an address that is not registered under `name`, as Cognito's is addressed (§1.1)."""
    query = urlencode({"error": MISMATCH, "client_id": params.get("client_id")})
    return ErrorPage(query, (name, params.get(name)) if params.get(name) else None)


def next_step(request: AuthorizeRequest, auth_time: int | None, now: int) -> SignIn | IssueCode | BackToClient:
    """What a readable request leads to. `auth_time` is when this browser's session signed in; None: no session."""
    fresh = auth_time is not None and _is_young(now - auth_time, request.max_age)
    if "none" in request.prompts:
        return (
            IssueCode()
            if fresh
            else BackToClient(error_location(request.redirect_uri, {"error": "login_required"}, request.state))
        )
    if not fresh or request.prompts & {"login", "select_account"}:
        return SignIn()
    return IssueCode()


def _is_young(age: int, max_age: int | None) -> bool:
    # 0 means `prompt=login` (OpenID Connect Core §3.1.2.1), also within the second of the sign-in.
    return max_age is None or (max_age > 0 and age <= max_age)


def code_location(request: AuthorizeRequest, code: str) -> str:
    """The client's address with the code, and its `state` verbatim."""
    return with_query(request.redirect_uri, {"code": code} | _state(request.state))


def error_location(redirect_uri: str, error: dict[str, str], state: str) -> str:
    """The client's address with an error in Cognito's order: description, state, error."""
    described = {name: value for name, value in error.items() if name != "error"}
    return with_query(redirect_uri, described | _state(state) | {"error": error["error"]})


def with_query(address: str, parameters: dict[str, str]) -> str:
    """`address` with parameters added; what it has already stays (RFC 6749 §3.1.2)."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}"


def missing_parameter(params: Params) -> str:
    """The first required parameter that is not there, in the order in which Cognito names it; empty if none."""
    return next((name for name in ("client_id", "redirect_uri", "response_type") if not params.get(name)), "")


def _fallback(client: AppClient | None) -> str:
    """The default address, or the only one: RFC 6749 §3.1.2.3 and Cognito allow it to be left out then."""
    if client is None:
        return ""
    if client.default_redirect_uri:
        return client.default_redirect_uri
    return client.callback_urls[0] if len(client.callback_urls) == 1 else ""


def _state(state: str) -> dict[str, str]:
    return {"state": state} if state else {}


def _pkce_is_wrong(params: Params, client: AppClient) -> bool:
    """Only S256, named (R2: a challenge without its method would mean `plain`)."""
    challenge, method = params.get("code_challenge"), params.get("code_challenge_method")
    if not challenge and not method:
        return client.require_pkce
    return method != "S256" or not _CHALLENGE.fullmatch(challenge)


def _prompt_is_wrong(params: Params, _client: AppClient) -> bool:
    # OpenID Connect Core §3.1.2.1: `none` stands alone. Values unknown here are ignored, as unknown parameters are.
    prompts = frozenset(params.get("prompt").split())
    return "none" in prompts and len(prompts) > 1


def _flow_is_refused(params: Params, client: AppClient) -> bool:
    # RFC 9700 §2.1.2: tokens are not issued from here, whatever the client is registered for.
    return params.get("response_type") == "token" or "code" not in client.allowed_flows


def _age_is_wrong(params: Params, _client: AppClient) -> bool:
    return bool(params.get("max_age")) and not _SECONDS.fullmatch(params.get("max_age"))


def _resource_is_wrong(params: Params, _client: AppClient) -> bool:
    # RFC 8707 §2: absolute, without fragment. Cognito takes https, http on localhost, and custom schemes.
    if not params.get("resource"):
        return False
    try:
        check_redirect_url(params.get("resource"))
    except ValueError:
        return True
    return False


_CHECKS: Final[tuple[tuple[Callable[[Params, AppClient], bool], dict[str, str]], ...]] = (
    (lambda params, _: bool(params.repeated), {"error": "invalid_request"}),  # RFC 6749 §3.1: never more than once
    (lambda params, _: params.get("response_type") not in {"code", "token"}, {"error": "invalid_request"}),
    (_flow_is_refused, {"error": "unauthorized_client"}),
    (_pkce_is_wrong, {"error": "invalid_request"}),
    (_prompt_is_wrong, {"error": "invalid_request"}),
    (_age_is_wrong, {"error": "invalid_request"}),
    (_resource_is_wrong, {"error": "invalid_request"}),
)
"""The first row whose check finds fault decides the `error` that the client is told."""
