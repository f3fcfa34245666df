"""A provider in memory: Cognito's addresses and tokens behind a transport, and what its pages do to a browser."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

from gateway.core.oidc import pkce_challenge
from tests.support.tokens import CLIENT_ID, ISSUER, LIFETIME, access_claims, id_claims, jwks, sign

DOMAIN = "my-app.auth.eu-west-1.amazoncognito.com"


class _Body(httpx.AsyncByteStream):
    """A body that has not been read yet, as from a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


def answer(status: int, content: Any) -> httpx.Response:
    """A response with JSON, or with bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx.Response(status, headers={"content-type": "application/json"}, stream=_Body(body))


@dataclass
class FakeCognito:
    """Give `transport()` to the gateway's back channel; walk a browser through `sign_in`."""

    now: Callable[[], int]
    claims: dict[str, Any] = field(default_factory=dict)
    """Changes to the ID token's claims."""
    access: dict[str, Any] = field(default_factory=dict)
    """Changes to the access token's claims."""
    down: bool = False
    refusal: str | None = None
    """An OAuth error that the token endpoint answers."""
    rotates: bool = True
    grants: list[dict[str, str]] = field(default_factory=list)
    """The forms that the token endpoint got."""
    date: str = "Thu, 01 Jan 2026 00:00:00 GMT"
    """What its clock says."""
    published: tuple[str, ...] = ("id", "access")
    """The keys in the key set."""
    revoked: list[str] = field(default_factory=list)
    revokes: bool = True
    refreshed: int = 0

    def __post_init__(self) -> None:
        self._codes: dict[str, dict[str, str]] = {}
        self._numbers = itertools.count(1)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def sign_in(self, address: str) -> str:
        """What the sign-in page does after the right password: the callback address, with a code."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = f"code-{next(self._numbers)}"
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def refuse(self, address: str, error: str, description: str = "") -> str:
        """What the sign-in page does when it cannot go on: the callback address, with an error."""
        asked = dict(parse_qsl(urlsplit(address).query))
        said = {"error": error, "state": asked["state"], **({"error_description": description} if description else {})}
        return f"{asked['redirect_uri']}?{urlencode(said)}"

    def tokens(self, nonce: str | None, **more: Any) -> dict[str, Any]:
        now = self.now()
        times = {"iat": now, "auth_time": now, "exp": now + LIFETIME}
        return {
            "id_token": sign(id_claims(**{"nonce": nonce, **times, **self.claims}), "id"),
            "access_token": sign(access_claims(**{**times, **self.access}), "access"),
            "expires_in": LIFETIME,
            "token_type": "Bearer",
            **more,
        }

    def access_token(self, **changes: Any) -> str:
        now = self.now()
        return sign(access_claims(**{"iat": now, "exp": now + LIFETIME, **self.access, **changes}), "access")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        response = self._response(request)
        response.headers["date"] = self.date
        return response

    def _response(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("down", request=request)
        if str(request.url) == f"{ISSUER}/.well-known/jwks.json":
            return answer(200, jwks(*self.published))
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if request.url.path == "/oauth2/token":
            return self._token(form)
        if request.url.path == "/oauth2/revoke":
            if not self.revokes:
                return answer(400, {"error": "invalid_request"})
            self.revoked.append(form["token"])
            return answer(200, b"")
        return answer(404, b"")

    def _token(self, form: dict[str, str]) -> httpx.Response:
        self.grants.append(form)
        if self.refusal:
            return answer(400, {"error": self.refusal})
        if form["grant_type"] == "refresh_token":
            self.refreshed += 1
            rotated = {"refresh_token": f"refresh-{next(self._numbers)}"} if self.rotates else {}
            return answer(200, self.tokens(None, **rotated))
        asked = self._codes.pop(form["code"], None)
        if asked is None or pkce_challenge(form["code_verifier"]) != asked["code_challenge"]:
            return answer(400, {"error": "invalid_grant"})
        assert form["redirect_uri"] == asked["redirect_uri"]
        assert asked["client_id"] == CLIENT_ID
        tokens = self.tokens(asked["nonce"], refresh_token=f"refresh-{next(self._numbers)}")
        return answer(200, tokens)
