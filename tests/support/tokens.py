"""Real RSA keys and tokens in Cognito's shape, signed with them."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123"
CLIENT_ID = "1example23456789"
SUB = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
NOW = 1_767_225_600
"""The first second of 2026, UTC: when these tokens are issued."""
LIFETIME = 3600


@cache
def private_key(name: str) -> RSAPrivateKey:
    """A key by name: the same one each time within a test run."""
    return generate_private_key(65537, 2048)


def kid_of(name: str) -> str:
    """A key id as Cognito makes them: 44 characters of standard base64."""
    return b64encode(sha256(name.encode()).digest()).decode()


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(name: str) -> dict[str, Any]:
    """The public half of a key as Cognito publishes it."""
    numbers = private_key(name).public_key().public_numbers()
    return {
        "alg": "RS256",
        "e": encode(numbers.e.to_bytes(3, "big")),
        "kid": kid_of(name),
        "kty": "RSA",
        "n": encode(numbers.n.to_bytes(256, "big")),
        "use": "sig",
    }


def jwks(*names: str) -> bytes:
    """A key set document."""
    return json.dumps({"keys": [jwk(name) for name in names]}).encode()


def id_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a Cognito ID token; a change to None leaves one out."""
    return _changed(
        {
            "sub": SUB,
            "email_verified": True,
            "iss": ISSUER,
            "cognito:username": "ada",
            "cognito:groups": ["admins", "staff"],
            "nonce": "n-1",
            "aud": CLIENT_ID,
            "token_use": "id",
            "auth_time": NOW,
            "exp": NOW + LIFETIME,
            "iat": NOW,
            "jti": "b4a2b1ac-0000-4000-8000-000000000001",
            "email": "ada@example.com",
        },
        changes,
    )


def access_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a Cognito access token; a change to None leaves one out."""
    return _changed(
        {
            "sub": SUB,
            "iss": ISSUER,
            "version": 2,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": "openid email",
            "auth_time": NOW,
            "exp": NOW + LIFETIME,
            "iat": NOW,
            "jti": "b4a2b1ac-0000-4000-8000-000000000002",
            "username": "ada",
        },
        changes,
    )


def sign(claims: Mapping[str, Any] | bytes, key: str = "id", **header: Any) -> str:
    """A token signed with RS256; `header` changes its header, None leaves a field out."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    fields = _changed({"kid": kid_of(key), "alg": "RS256"}, header)
    signed = f"{encode(json.dumps(fields).encode())}.{encode(payload)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(signed.encode(), private_key(key))
    return f"{signed}.{encode(signature)}"


def _changed(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not None}
