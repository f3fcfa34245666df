"""Sign the pool's tokens as Cognito does, and open its access tokens again."""

import asyncio
import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.core.secret import Secret
from gateway.errors import BadToken, TokenExpired
from gateway.pool import claims as compose
from gateway.pool.options import PoolOptions
from gateway.pool.records import AppClient, User
from gateway.pool.storage import PoolStorage
from gateway.pool.stored import Grant, StoredKey

TokenUse = Literal["id", "access"]
_USES: Final[tuple[TokenUse, ...]] = ("id", "access")
_JWS: Final = jwt.PyJWS()
LONGEST_TOKEN: Final = 96 * 1024
"""Bytes. A user's 100 groups (Cognito's quota) of 128 characters with four bytes each are 68 KiB of base64url; the
client's 50 scopes and the rest stay below what is left."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One RSA key. `kid` is standard base64 of a SHA-256 over the public key: 44 characters, as Cognito's."""

    kid: str
    private: rsa.RSAPrivateKey = field(repr=False)

    def jwk(self) -> dict[str, str]:
        """The public key as JWKS shows it."""
        numbers = self.private.public_key().public_numbers()
        return {
            "alg": "RS256", "e": _base64url(numbers.e), "kid": self.kid, "kty": "RSA", "n": _base64url(numbers.n),
            "use": "sig",
        }  # fmt: skip


SigningKeys = Mapping[TokenUse, SigningKey]
"""One key signs ID tokens, another one access tokens: nobody may assume a single key (reference §2.5)."""


async def load_keys(storage: PoolStorage, secret: Secret | None) -> SigningKeys:
    """The pool's two keys, made at the first start.

    Raises:
        ValueError: the keys were sealed with another secret.
    """
    names: dict[TokenUse, str] = {use: f"signing-{use}" for use in _USES}
    async with storage.snapshot() as tx:
        missing = [name for name in names.values() if await tx.keys.get(name) is None]
    fresh = await asyncio.gather(*(asyncio.to_thread(new_key, secret) for _ in missing))
    async with storage.transaction() as tx:
        for name, pem in zip(missing, fresh, strict=True):
            await tx.keys.add(StoredKey(name=name, value=pem))  # another process may have been first: its key stays
        kept = {use: (name, await tx.keys.get(name) or b"") for use, name in names.items()}
    return {use: _opened(name, pem, secret) for use, (name, pem) in kept.items()}


def _opened(name: str, pem: bytes, secret: Secret | None) -> SigningKey:
    try:
        private = serialization.load_pem_private_key(pem, _password(secret))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: the pool's secret does not fit its keys") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError(f"{name}: not an RSA key")  # noqa: TRY004 - the value of a column, not an argument's type
    return SigningKey(_kid(private), private)


def new_key(secret: Secret | None) -> bytes:
    """A fresh RSA-2048 key as PKCS#8 PEM, sealed if there is a secret. Takes a tenth of a second and more."""
    password = _password(secret)
    sealing = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)


def _password(secret: Secret | None) -> bytes | None:
    return secret.reveal().encode() if secret else None


def _kid(private: rsa.RSAPrivateKey) -> str:
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


def _base64url(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Tokens:
    """The pool's tokens. Claim sets are those of reference §2.1 and §2.2; `nonce` only at sign-in, not at refresh."""

    def __init__(self, options: PoolOptions, keys: SigningKeys) -> None:
        self._options = options
        self._keys = keys

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        return {"keys": [self._keys[use].jwk() for use in _USES]}

    def access_token(self, client: AppClient, user: User, grant: Grant, now: int) -> str:
        """An access token for the user at the client."""
        claims = {
            "sub": user.sub,
            **compose.group_claims(user, self._options.groups),
            "version": 2,
            "client_id": client.client_id,
            **_event(client, grant),
            "scope": " ".join(grant.scopes),
            "auth_time": grant.auth_time,
            "username": user.username,
            **({"aud": grant.resource} if grant.resource else {}),
        }
        return self._sign("access", claims, now, client.access_token_validity)

    def id_token(self, client: AppClient, user: User, grant: Grant, access_token: str, now: int) -> str:
        """An ID token that goes with the access token."""
        claims = {
            **compose.typed(compose.visible(user, grant.scopes, client)),
            "sub": user.sub,
            "at_hash": compose.at_hash(access_token),
            **compose.group_claims(user, self._options.groups),
            **compose.role_claims(user, self._options.groups),
            "cognito:username": user.username,
            **({"nonce": grant.nonce} if grant.nonce else {}),
            **_event(client, grant),
            "aud": client.client_id,
            "auth_time": grant.auth_time,
        }
        return self._sign("id", claims, now, client.id_token_validity)

    def machine_token(self, client: AppClient, scopes: tuple[str, ...], now: int) -> str:
        """An access token for a client on its own behalf: no `username`, no sign-in that it began with."""
        claims = {
            "sub": client.client_id,
            "version": 2,
            "client_id": client.client_id,
            "scope": " ".join(scopes),
            "auth_time": now,
        }
        return self._sign("access", claims, now, client.access_token_validity)

    def open_access_token(self, token: str, now: int) -> dict[str, Any]:
        """The claims of an access token of this pool.

        Raises:
            BadToken: signature, key, algorithm, issuer or use are not right.
            TokenExpired: its time is over; at the exact second of `exp` it is (RFC 7519 §4.1.4).
        """
        if len(token) > LONGEST_TOKEN:
            raise BadToken("token too long")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys["access"].private.public_key(),
                algorithms=["RS256"],
                issuer=self._options.issuer,
                # Time is compared with the `now` given; `aud` is there for resource servers, not for the pool itself.
                options={
                    "require": ["exp", "iat", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise BadToken(type(error).__name__) from error
        if claims.get("token_use") != "access":
            raise BadToken("not an access token")
        if now >= int(claims["exp"]):
            raise TokenExpired("expired")
        return claims

    def _sign(self, use: TokenUse, claims: Mapping[str, Any], now: int, lifetime: int) -> str:
        key = self._keys[use]
        payload = {
            **claims,
            "iss": self._options.issuer,
            "token_use": use,
            "exp": now + lifetime,
            "iat": now,
            "jti": str(uuid.uuid4()),
        }
        # UTF-8 (RFC 7519 §3): `\u` escapes would make a group's name up to three times as long.
        octets = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        # An empty `typ` makes PyJWT leave it out: Cognito's header has `kid` and `alg` alone.
        return _JWS.encode(octets, key.private, "RS256", headers={"kid": key.kid, "typ": ""})


def _event(client: AppClient, grant: Grant) -> dict[str, str]:
    """The sign-in that the tokens come from; `origin_jti` is for clients with token revocation (reference §2.6)."""
    event = {"event_id": grant.origin_jti}
    return {**event, "origin_jti": grant.origin_jti} if client.enable_token_revocation else event
