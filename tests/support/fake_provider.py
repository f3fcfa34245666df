"""A provider in one object: what Cognito answers on the back channel, without a socket.

It signs real tokens, binds codes to client, redirect address and PKCE challenge, and can be down, rotate its keys, or
rotate refresh tokens. Its time is the test's.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from gateway.core.oidc import pkce_challenge
from gateway.core.secret import Secret
from gateway.core.tokens import at_hash
from gateway.provider.options import ProviderOptions
from gateway.provider.presets import cognito, oidc
from tests.support.tokens import CLIENT_ID, ISSUER, LIFETIME, NOW, access_claims, id_claims, jwks, sign

ORIGIN = "https://login.example"
CLIENT_SECRET = "client+secret"
SECRET = Secret(CLIENT_SECRET)
POOL_ID = ISSUER.rpartition("/")[2]


class Ticker:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def cognito_options(**changes: Any) -> ProviderOptions:
    """The preset for the fake, as a confidential client."""
    given = {"user_pool_id": POOL_ID, "domain": "login.example", "client_id": CLIENT_ID, "client_secret": SECRET}
    return cognito(**{**given, **changes})


def oidc_options(**changes: Any) -> ProviderOptions:
    """The generic preset for the fake, as a public client."""
    return oidc(**{"issuer": ISSUER, "client_id": CLIENT_ID, **changes})


@dataclass
class FakeProvider:
    """Answers as the provider of `tests.support.tokens`."""

    now: int = NOW
    down: bool = False
    """Refuse every connection."""
    keys: tuple[str, str] = ("id", "access")
    """The keys that sign ID and access tokens."""
    published: tuple[str, ...] = ("id", "access")
    rotate_refresh_tokens: bool = False
    id_changes: dict[str, Any] = field(default_factory=dict)
    access_changes: dict[str, Any] = field(default_factory=dict)
    answer_changes: dict[str, Any] = field(default_factory=dict)
    metadata_changes: dict[str, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    """How often each path was asked for."""
    userinfo_down: bool = False
    refresh_tokens: set[str] = field(default_factory=set)
    _codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def client(self) -> httpx.AsyncClient:
        """An HTTP client whose every request comes here."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def authorize(self, url: str) -> str:
        """A user signs in at an authorize address; the code is what a callback would bring."""
        code = f"code-{len(self._codes)}"
        self._codes[code] = dict(parse_qsl(urlsplit(url).query))
        return code

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The answer to one request of the back channel."""
        path = request.url.path
        self.calls[path] += 1
        if self.down:
            raise httpx.ConnectError("the fake is down", request=request)
        pages: dict[str, Callable[[httpx.Request], httpx.Response]] = {
            f"/{POOL_ID}/.well-known/openid-configuration": self._metadata,
            f"/{POOL_ID}/.well-known/jwks.json": lambda _: httpx.Response(200, content=jwks(*self.published)),
            "/oauth2/token": self._token,
            "/oauth2/revoke": self._revoke,
            "/oauth2/userInfo": self._userinfo,
        }
        return pages[path](request)

    def _metadata(self, _: httpx.Request) -> httpx.Response:
        document = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ORIGIN}/oauth2/authorize",
            "token_endpoint": f"{ORIGIN}/oauth2/token",
            "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
            "userinfo_endpoint": f"{ORIGIN}/oauth2/userInfo",
            "revocation_endpoint": f"{ORIGIN}/oauth2/revoke",
            "end_session_endpoint": f"{ORIGIN}/logout",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            **self.metadata_changes,
        }
        return httpx.Response(200, json={name: value for name, value in document.items() if value is not None})

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        if not _authenticated(request, form):
            return _error("invalid_client")
        grants = {"authorization_code": self._redeem, "refresh_token": self._refresh}
        return grants[form["grant_type"]](form)

    def _redeem(self, form: Mapping[str, str]) -> httpx.Response:
        asked = self._codes.pop(form["code"], {})
        bound = asked.get("redirect_uri") == form["redirect_uri"]
        if not bound or asked["code_challenge"] != pkce_challenge(form["code_verifier"]):
            return _error("invalid_grant")
        return self._tokens({"nonce": asked["nonce"]}, self._new_refresh_token())

    def _refresh(self, form: Mapping[str, str]) -> httpx.Response:
        token = form["refresh_token"]
        if token not in self.refresh_tokens:
            return _error("invalid_grant")
        if not self.rotate_refresh_tokens:
            return self._tokens({"nonce": None}, None)
        self.refresh_tokens.remove(token)
        return self._tokens({"nonce": None}, self._new_refresh_token())

    def _new_refresh_token(self) -> str:
        token = f"refresh-{sum(self.calls.values())}"
        self.refresh_tokens.add(token)
        return token

    def _tokens(self, changes: Mapping[str, Any], refresh_token: str | None) -> httpx.Response:
        times = {"iat": self.now, "exp": self.now + LIFETIME}
        access = sign(access_claims(**{**times, **self.access_changes}), self.keys[1])
        claims = id_claims(**{**times, "at_hash": at_hash(access), **changes, **self.id_changes})
        document = {
            "access_token": access,
            "id_token": sign(claims, self.keys[0]),
            "refresh_token": refresh_token,
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            **self.answer_changes,
        }
        return httpx.Response(200, json={name: value for name, value in document.items() if value is not None})

    def _revoke(self, request: httpx.Request) -> httpx.Response:
        form = dict(parse_qsl(request.content.decode()))
        if not _authenticated(request, form):
            return _error("invalid_client", 401)
        self.refresh_tokens.discard(form["token"])
        return httpx.Response(200)

    def _userinfo(self, request: httpx.Request) -> httpx.Response:
        if self.userinfo_down:
            return httpx.Response(503)
        if not request.headers["authorization"].startswith("Bearer ey"):
            return _error("invalid_token", 401)
        return httpx.Response(200, json={"sub": id_claims()["sub"], "email_verified": "true", "username": "ada"})


def _authenticated(request: httpx.Request, form: Mapping[str, str]) -> bool:
    """Basic as Amazon documents it, the secret in the form, or a public client's `client_id`."""
    basic = httpx.BasicAuth(CLIENT_ID, CLIENT_SECRET)._auth_header
    given = request.headers.get("authorization")
    if given is not None:
        return bool(given == basic)
    return form.get("client_id") == CLIENT_ID and form.get("client_secret", CLIENT_SECRET) == CLIENT_SECRET


def _error(code: str, status: int = 400) -> httpx.Response:
    return httpx.Response(status, content=json.dumps({"error": code}).encode())
