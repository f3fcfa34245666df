"""Answer the endpoints that programs call: discovery, keys, token, userInfo, revoke."""

import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.pool.backend import Backend
from gateway.pool.clients import authenticate
from gateway.pool.discovery import document
from gateway.pool.forms import BadForm, Params, read_form
from gateway.pool.grants import TokenAnswer
from gateway.pool.pkce import STANDARD_LENGTH
from gateway.pool.records import AppClient
from gateway.pool.refusals import OAuthError

_log = logging.getLogger(__name__)

TOKEN: Final = "/oauth2/token"  # noqa: S105 - an address
USER_INFO: Final = "/oauth2/userInfo"
REVOKE: Final = "/oauth2/revoke"
CORS: Final = {"Access-Control-Allow-Origin": "*"}
"""No credentials with it: these endpoints read no cookie."""
_PREFLIGHT: Final = {
    **CORS,
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, x-requested-with, x-amz-user-agent",
    "Access-Control-Max-Age": "3600",
}
_NOT_STORED: Final = {
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Pragma": "no-cache",
    "X-Content-Type-Options": "nosniff",
}
_CACHED: Final = {**CORS, "Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
_SHORT_VERIFIER: Final = "client %s: its PKCE verifier has %d characters, RFC 7636 §4.1 asks for %d at least"
_BAD_USER_INFO: Final = "Bad OAuth2 request at UserInfo Endpoint"

Handler = Callable[[Request], Awaitable[Response]]
Redeem = Callable[[AppClient, Params, int], Awaitable[TokenAnswer]]


class _Json(JSONResponse):
    media_type = "application/json;charset=UTF-8"


def routes(backend: Backend) -> list[Route]:
    """The routes. Discovery and keys are under the pool's id, and at the root for who knows the address alone."""
    programs = Programs(backend)
    found = [
        Route(f"{prefix}/.well-known/{name}", endpoint, methods=["GET"])
        for prefix in (f"/{backend.options.pool_id}", "")
        for name, endpoint in (("openid-configuration", programs.discovery), ("jwks.json", programs.keys))
    ]
    return [
        *found,
        Route(TOKEN, _with_cors(programs.token), methods=["POST", "OPTIONS"]),
        Route(USER_INFO, _with_cors(programs.user_info), methods=["GET", "POST", "OPTIONS"]),
        Route(REVOKE, _with_cors(programs.revoke), methods=["POST", "OPTIONS"]),
    ]


def failure(request: Request, status: int) -> Response | None:
    """What a program is told when its request was not served: a wrong method, a database that is busy, a fault of ours.

    `None` for addresses that people open.
    """
    if request.url.path not in {TOKEN, USER_INFO, REVOKE}:
        return None
    response = _finished(_Json({"error": "server_error" if status >= 500 else "invalid_request"}, status_code=status))
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


class Programs:
    """The handlers, over one backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._grant_types: dict[str, Redeem] = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh_token,
            "client_credentials": self._by_client,
        }

    async def discovery(self, _request: Request) -> Response:
        """The pool's addresses. They are the configured ones, whatever Host the request names (R7)."""
        return _Json(document(self._backend.options), headers=_CACHED)

    async def keys(self, _request: Request) -> Response:
        """The public keys."""
        return _Json(self._backend.tokens.jwks(), headers=_CACHED)

    async def token(self, request: Request) -> Response:
        """Tokens for a code, a refresh token or a client's own credentials."""
        form = await _form(request)
        redeem = self._grant_types.get(_required(form, "grant_type"))
        if redeem is None:
            raise OAuthError("unsupported_grant_type")
        client = self._client(request, form)
        return _Json(_body(await redeem(client, form, self._backend.now())))

    async def revoke(self, request: Request) -> Response:
        """Revocation; also of what is unknown: 200 with an empty body."""
        form = await _form(request)
        try:
            client = self._client(request, form)
        except OAuthError as error:
            # Only here Cognito answers 401 for a client that is not (revocation-endpoint).
            raise OAuthError(error.error, status=401 if error.error == "invalid_client" else 400) from error
        await self._backend.grants.revoke(client, token=_required(form, "token"), now=self._backend.now())
        return Response(status_code=200)

    async def user_info(self, request: Request) -> Response:
        """The user's claims, every value a string."""
        lines = request.headers.getlist("authorization")
        scheme, _, token = lines[0].partition(" ") if len(lines) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token.strip() or " " in token.strip():
            raise OAuthError("invalid_request", _BAD_USER_INFO)
        return _Json(await self._backend.grants.user_info(token.strip(), self._backend.now()))

    def _client(self, request: Request, form: Params) -> AppClient:
        lines = request.headers.getlist("authorization")
        if len(lines) > 1:
            raise OAuthError("invalid_request")
        return authenticate(
            self._backend.options,
            lines[0] if lines else None,
            client_id=form.get("client_id"),
            client_secret=form.get("client_secret"),
        )

    async def _by_code(self, client: AppClient, form: Params, now: int) -> TokenAnswer:
        if "code" not in client.allowed_flows:
            raise OAuthError("unauthorized_client")
        verifier = form.get("code_verifier") or None
        answer = await self._backend.grants.redeem(
            client,
            code=_required(form, "code"),
            redirect_uri=_required(form, "redirect_uri"),
            code_verifier=verifier,
            now=now,
        )
        if verifier and len(verifier) < STANDARD_LENGTH:
            _log.info(_SHORT_VERIFIER, client.client_id, len(verifier), STANDARD_LENGTH)
        return answer

    async def _by_refresh_token(self, client: AppClient, form: Params, now: int) -> TokenAnswer:
        return await self._backend.grants.refresh(client, refresh_token=_required(form, "refresh_token"), now=now)

    async def _by_client(self, client: AppClient, form: Params, now: int) -> TokenAnswer:
        return await self._backend.grants.client_credentials(client, scope=form.get("scope") or None, now=now)


def _with_cors(handler: Handler) -> Handler:
    """Answer preflights; put CORS, `no-store` and a request id on every answer, refusals included."""

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=200, headers=_PREFLIGHT)
        try:
            response = await handler(request)
        except OAuthError as error:
            response = _refusal(error, bearer=request.method == "GET" or request.url.path == USER_INFO)
        return _finished(response)

    return answer


def _finished(response: Response) -> Response:
    response.headers.update({**CORS, **_NOT_STORED, "x-amz-cognito-request-id": str(uuid.uuid4())})
    return response


def _refusal(error: OAuthError, *, bearer: bool) -> Response:
    body = {"error": error.error, **({"error_description": error.description} if error.description else {})}
    response = _Json(body, status_code=error.status)
    if bearer:
        response.headers["WWW-Authenticate"] = f'error="{error.error}", error_description="{error.description}"'
    return response


async def _form(request: Request) -> Params:
    try:
        form = await read_form(request)
    except BadForm as error:
        raise OAuthError("invalid_request") from error
    if form.repeated:  # RFC 6749 §3.2: parameters must not be included more than once
        raise OAuthError("invalid_request")
    return form


def _required(form: Params, name: str) -> str:
    value = form.get(name)
    if not value:
        raise OAuthError("invalid_request")
    return value


def _body(answer: TokenAnswer) -> dict[str, Any]:
    tokens = {
        "id_token": answer.id_token,
        "access_token": answer.access_token,
        "refresh_token": answer.refresh_token,
    }
    present = {name: token for name, token in tokens.items() if token is not None}
    return {**present, "expires_in": answer.expires_in, "token_type": "Bearer"}
