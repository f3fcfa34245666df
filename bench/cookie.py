"""Give a session of the local pool the tokens of Amazon's sizes: what a gateway in front of Cognito has to carry."""

import asyncio
import base64
import json
import secrets
from dataclasses import replace

from bench.world import CLIENT_ID, POOL_ID, SECRET, World
from gateway.core.seal import KeyRing
from gateway.core.secret import Secret
from gateway.core.session import TokenSet
from gateway.stores.cookie import CookieStore

_NAME = "cg_session"
_ID_TOKEN, _ACCESS_TOKEN, _REFRESH_TOKEN = 1700, 1100, 1900


def cognito_sized(world: World, cookie: str) -> str:
    """The same session, opened and sealed with the gateway's own code, with ID, access and refresh token in it."""
    issuer = f"http://localhost:{world.pool.port}/{POOL_ID}"
    store = CookieStore(KeyRing([Secret(SECRET)]), cookie_name=_NAME, issuer=issuer, client_id=CLIENT_ID)
    pairs = dict(pair.split("=", 1) for pair in cookie.split("; "))
    session = store.peek(pairs[_NAME])
    tokens = TokenSet(
        id_token=_jwt(_ID_TOKEN),
        access_token=_jwt(_ACCESS_TOKEN),
        refresh_token=secrets.token_urlsafe(_REFRESH_TOKEN)[:_REFRESH_TOKEN],
    )
    pairs[_NAME] = asyncio.run(store.save(replace(session, tokens=tokens), session.created_at))
    return "; ".join(f"{name}={value}" for name, value in pairs.items())


def _jwt(size: int) -> str:
    """A token of that many characters: RS256's signature, the rest claims."""
    head, signature = _part({"kid": secrets.token_urlsafe(32), "alg": "RS256"}), secrets.token_urlsafe(256)
    room = (size - len(head) - len(signature) - 2) * 3 // 4
    words = "email_verified cognito:groups token_use auth_time given_name family_name updated_at "
    claims = {"origin_jti": secrets.token_hex(64), "scope": ""}
    claims["scope"] = (words * 40)[: max(0, room - len(json.dumps(claims)))]
    return f"{head}.{_part(claims)}.{signature}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
