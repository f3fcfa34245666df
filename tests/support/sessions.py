"""Sessions, Cognito-shaped tokens and a token source, for tests."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from gateway.core.asgi import HeaderList
from gateway.core.cookies import CookieSpec
from gateway.core.seal import KeyRing
from gateway.core.secret import Secret
from gateway.core.session import Session, TokenSet
from gateway.sessions.policy import SessionPolicy
from gateway.sessions.service import Sessions
from gateway.stores.cookie import CookieStore

NOW = 1_767_225_600
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyZ"
CLIENT = "1example23456789abcdefghij"
COOKIE = CookieSpec("__Host-cg_session")
IDLE_COOKIE = CookieSpec("__Host-cg_idle")
SUB = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


def ring(*letters: str) -> KeyRing:
    """A ring of secrets of one letter each, newest first."""
    return KeyRing([Secret(letter * 32) for letter in letters or ("k",)])


def noise(label: str, size: int) -> bytes:
    """Bytes that do not compress, the same for the same label."""
    return hashlib.shake_256(label.encode()).digest(size)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def uuid(label: str) -> str:
    digits = noise(label, 16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def jwt(claims: Mapping[str, Any], label: str = "jwt") -> str:
    """A token of Cognito's form with an RS256-sized signature that does not verify."""
    header = {"kid": base64.b64encode(noise(label + " kid", 32)).decode(), "alg": "RS256"}
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    return ".".join(b64(part) for part in (*parts, noise(label, 256)))


def access_claims(sub: str = SUB, label: str = "access") -> dict[str, Any]:
    return {
        "sub": sub,
        "cognito:groups": ["admins", "editors"],
        "iss": ISSUER,
        "version": 2,
        "client_id": CLIENT,
        "origin_jti": uuid("origin"),
        "event_id": uuid("event"),
        "token_use": "access",
        "scope": "phone openid profile email",
        "auth_time": NOW,
        "exp": NOW + 3600,
        "iat": NOW,
        "jti": uuid(label),
        "username": sub,
    }


def id_claims(sub: str = SUB, **more: Any) -> dict[str, Any]:
    return {
        "at_hash": b64(noise("at_hash", 16)),
        "sub": sub,
        "cognito:groups": ["admins", "editors"],
        "email_verified": True,
        "cognito:preferred_role": "arn:aws:iam::111122223333:role/my-test-role",
        "iss": ISSUER,
        "phone_number_verified": True,
        "cognito:username": sub,
        "nonce": b64(noise("nonce", 32)),
        "origin_jti": uuid("origin"),
        "cognito:roles": ["arn:aws:iam::111122223333:role/my-test-role"],
        "aud": CLIENT,
        "event_id": uuid("event"),
        "token_use": "id",
        "auth_time": NOW,
        "phone_number": "+441632960961",
        "exp": NOW + 3600,
        "iat": NOW,
        "jti": uuid("id"),
        "email": "ada.lovelace@example.com",
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "zoneinfo": "Europe/London",
        "custom:tenant": uuid("tenant"),
        **more,
    }


def refresh_token(label: str = "refresh") -> str:
    """An opaque JWE of Cognito's form and size."""
    header = b64(b'{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}')
    return ".".join([header, *(b64(noise(f"{label} {size}", size)) for size in (256, 12, 1070, 16))])


def cognito_tokens(sub: str = SUB, label: str = "refresh") -> TokenSet:
    return TokenSet(
        id_token=jwt(id_claims(sub), "id"),
        access_token=jwt(access_claims(sub), "access"),
        refresh_token=refresh_token(label),
    )


def session(**changes: Any) -> Session:
    """A session as a sign-in at NOW would make it."""
    given: dict[str, Any] = {
        "id": b64(noise("session", 16)),
        "version": 1,
        "created_at": NOW,
        "expires_at": NOW + 43_200,
        "access_expires_at": NOW + 3600,
        "refresh_at": NOW + 2880,
        "claims": {"sub": SUB, "email": "ada.lovelace@example.com"},
        "groups": ("admins", "editors"),
        "tokens": TokenSet(refresh_token=refresh_token()),
    }
    return Session(**{**given, **changes})


@dataclass
class Fresh:
    """What the fake token source brings."""

    claims: Mapping[str, Any] | None
    token_set: TokenSet
    access_expires_at: int


@dataclass
class FakeTokens:
    """A token source that counts its calls, rotates refresh tokens, and waits or fails when told to."""

    error: Exception | None = None
    sub: str = SUB
    access_sub: str = SUB
    with_claims: bool = True
    groups: list[Any] = field(default_factory=lambda: ["admins", "editors"])
    gate: asyncio.Event | None = None
    revoke_hangs: bool = False
    refreshed: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(2))

    async def refresh(self, refresh_token: str, now: int) -> Fresh:
        self.refreshed.append(refresh_token)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        number = next(self._numbers)
        tokens = TokenSet(
            access_token=jwt(access_claims(self.access_sub, f"access {number}")), refresh_token=f"refresh-{number}"
        )
        claims = id_claims(self.sub, **{"cognito:groups": self.groups}) if self.with_claims else None
        return Fresh(claims, tokens, now + 3600)

    async def revoke(self, refresh_token: str) -> None:
        if self.revoke_hangs:
            await asyncio.Event().wait()
        self.revoked.append(refresh_token)


def render(session: Session) -> HeaderList:
    return [(b"x-forwarded-user", session.sub.encode())]


def policy(**changes: Any) -> SessionPolicy:
    given: dict[str, Any] = {"cookie": COOKIE, "idle_cookie": IDLE_COOKIE, "lifetime": 43_200}
    return SessionPolicy(**{**given, **changes})


def store(keys: KeyRing | None = None, *, client_id: str = CLIENT, cookie_name: str = COOKIE.name) -> CookieStore:
    return CookieStore(keys or ring(), cookie_name=cookie_name, issuer=ISSUER, client_id=client_id)


def sessions(tokens: FakeTokens | None = None, keys: KeyRing | None = None, **changes: Any) -> Sessions:
    """A session service over a cookie store; `changes` are the policy's."""
    keys = keys or ring()
    return Sessions(
        store=store(keys),
        tokens=tokens or FakeTokens(),
        policy=policy(**changes),
        render=render,
        idle_box=keys.box("idle", ISSUER, CLIENT),
        jitter=lambda: 0.5,
    )


@dataclass
class Jar:
    """A browser's cookies: takes Set-Cookie values, gives the Cookie header line."""

    cookies: dict[str, str] = field(default_factory=dict)

    def take(self, lines: list[bytes]) -> "Jar":
        for line in lines:
            pair, _, attributes = line.decode("latin-1").partition(";")
            name, _, value = pair.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return self

    @property
    def names(self) -> list[str]:
        return list(self.cookies)

    @property
    def header(self) -> list[bytes]:
        return ["; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode("latin-1")]
