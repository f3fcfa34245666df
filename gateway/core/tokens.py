"""Verify the ID and access tokens of a provider.

PyJWT verifies the signature; everything else is judged here, with the `now` that was given. The rules are those of
OpenID Connect Core §3.1.3.7, RFC 9068 §4 and Amazon's page on verifying a JWT.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.core.documents import json_object
from gateway.core.jwks import KeySet
from gateway.errors import BadData, BadSignature, BadToken, TokenExpired, TokenNotYet

# Cognito's are 1 to 2 KB. A user may be in a hundred groups with names of 128 characters: 18 KB in ASCII, 103 KB in a
# script whose characters JSON may write as `\uXXXX`. How much of that a request can carry, the server's limits say.
MAX_TOKEN = 128 * 1024
MAX_HEADER = 2048
# Seconds that a provider's clock may be ahead of ours. go-oidc grants five minutes, Amazon's own verifier none.
CLOCK_SKEW = 60
# Sub is at most 255 ASCII characters (OpenID Connect Core §2).
MAX_SUB = 255

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_JWS = jwt.PyJWS(algorithms=["RS256"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Whose tokens are accepted. `leeway` is in seconds and prolongs `exp`.

    `token_use_required` insists on Cognito's `token_use`; where it is present it is checked in any case. `audiences`
    are the names of this service in an access token's `aud`; None for our own token, which may be for another service.
    """

    issuer: str
    client_ids: frozenset[str]
    leeway: int = 5
    token_use_required: bool = False
    audiences: frozenset[str] | None = frozenset()


def key_id(token: str) -> str | None:
    """The `kid` that a token names, unverified, to look for a key; None when it names none. Raises BadToken."""
    kid = _header(token).get("kid")
    if not isinstance(kid, str | None):
        raise BadToken("kid is not a text")
    return kid


def verify_id_token(
    token: str,
    keys: KeySet,
    expected: Expected,
    *,
    now: int,
    nonce: str | None = None,
    access_token: str | None = None,
) -> dict[str, Any]:
    """The claims of an ID token that is for us, for now and for this flow. Raises BadToken or TokenExpired.

    `nonce` None accepts any: a refreshed token may carry none, and Cognito's may carry one that only Cognito and a
    federated provider know. `access_token` is compared with `at_hash` where the token has one.
    """
    claims = _verified(token, keys, {None, "jwt"})
    _check(claims, expected, "id")
    _check_audience(claims, expected.client_ids)
    _instant(claims, "iat")
    if nonce is not None and not _same(claims.get("nonce"), nonce):
        raise BadToken("nonce is not the one of this sign-in")
    if access_token is not None and "at_hash" in claims and not _same(claims["at_hash"], at_hash(access_token)):
        raise BadToken("at_hash is not of the access token")
    _check_times(claims, now, expected.leeway)
    return claims


def verify_access_token(token: str, keys: KeySet, expected: Expected, *, now: int) -> dict[str, Any]:
    """The claims of an access token issued to one of the expected clients. Raises BadToken or TokenExpired.

    It must say that it is one: `token_use` (Cognito) or the type `at+jwt` (RFC 9068 §2.1). What merely has our issuer
    and signature may be an ID token, which is no credential for a call. With an `aud` it is for these audiences alone
    (RFC 9068 §4); Cognito's has one only where a resource was asked for (RFC 8707).
    """
    claims = _verified(token, keys, {None, "jwt", "at+jwt"})
    _check(claims, expected, "access")
    if "token_use" not in claims and _type(_header(token)) != "at+jwt":
        raise BadToken("nothing says that it is an access token")
    client_id = claims.get("client_id")
    if not isinstance(client_id, str) or client_id not in expected.client_ids:
        raise BadToken(f"client_id {_shown(client_id)} is not one of those expected")
    if "aud" in claims:
        audiences = _audiences(claims)
        if expected.audiences is not None and expected.audiences.isdisjoint(audiences):
            raise BadToken(f"aud {_shown(audiences)} does not name this service")
    _check_times(claims, now, expected.leeway)
    return claims


def expires_at(claims: Mapping[str, Any]) -> int:
    """The second from which a verified token is over."""
    return int(claims["exp"])


def at_hash(access_token: str) -> str:
    """The hash of an access token that an ID token carries: left half of SHA-256 (OpenID Connect Core §3.1.3.6)."""
    digest = hashlib.sha256(access_token.encode("ascii", "replace")).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def _header(token: str) -> dict[str, Any]:
    """The JOSE header, unverified."""
    # One spelling for each token: PyJWT's decoder skips characters that are not of the alphabet.
    if len(token) > MAX_TOKEN or not _SHAPE.fullmatch(token):
        raise BadToken("not a compact JWS, or too long")
    head = token.partition(".")[0]
    if len(head) > MAX_HEADER:
        raise BadToken("header too long")
    try:
        return json_object(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (BadData, ValueError) as error:
        raise BadToken("header is not a JSON object") from error


def _type(header: Mapping[str, Any]) -> str | None:
    """`typ` as a media type without its prefix (RFC 7515 §4.1.9)."""
    kind = header.get("typ")
    if not isinstance(kind, str | None):
        raise BadToken("typ is not a text")
    return None if kind is None else kind.lower().removeprefix("application/")


def _verified(token: str, keys: KeySet, types: set[str | None]) -> dict[str, Any]:
    """The claims of a token whose signature holds."""
    header = _header(token)
    # The algorithm is pinned before any key is touched (RFC 8725 §3.1): `none`, and HS256 with a public key, end here.
    # We know no critical extension, and RFC 7515 §4.1.11 then asks for a refusal.
    if header.get("alg") != "RS256":
        raise BadToken(f"alg is {_shown(header.get('alg'))}, and only RS256 is taken")
    if "crit" in header or _type(header) not in types:
        raise BadToken(f"typ {_shown(header.get('typ'))} is another kind of token, or crit asks for an extension")
    kid = key_id(token)
    refusal = BadToken(f"the provider has no key of the kid {_shown(kid)}")
    for key in keys.candidates(kid):
        try:
            return _payload(token, key)
        except BadSignature as error:
            refusal = error
    raise refusal


def _payload(token: str, key: RSAPublicKey) -> dict[str, Any]:
    try:
        return json_object(_JWS.decode(token, key, algorithms=["RS256"]))
    except jwt.InvalidSignatureError as error:
        raise BadSignature("the signature is not of the key that kid names") from error
    except (jwt.PyJWTError, BadData, ValueError) as error:
        raise BadToken("the payload cannot be used") from error


def _check(claims: Mapping[str, Any], expected: Expected, use: str) -> None:
    """What both kinds of token have in common, but for the times."""
    if claims.get("iss") != expected.issuer:
        raise BadToken(f"iss is {_shown(claims.get('iss'))}, and the issuer is {_shown(expected.issuer)}")
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 0 < len(sub) <= MAX_SUB:
        raise BadToken("sub is missing, or is not a text of at most 255 characters")
    if claims.get("token_use", None if expected.token_use_required else use) != use:
        raise BadToken(f"token_use is {_shown(claims.get('token_use'))}, and not {use}")


def _check_audience(claims: Mapping[str, Any], client_ids: frozenset[str]) -> None:
    audiences = _audiences(claims)
    if not client_ids.intersection(audiences):
        raise BadToken(f"aud {_shown(audiences)} does not name this client")
    # With several audiences, `azp` says who it was issued to (OpenID Connect Core §3.1.3.7, 4 and 5).
    party = claims.get("azp", None if len(audiences) > 1 else audiences[0])
    if not isinstance(party, str) or party not in client_ids:
        raise BadToken(f"azp {_shown(party)} does not name this client")


def _audiences(claims: Mapping[str, Any]) -> list[str]:
    """`aud` as a list of texts, whichever of its two forms it has (RFC 7519 §4.1.3)."""
    aud = claims.get("aud")
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or not audiences or not all(isinstance(one, str) for one in audiences):
        raise BadToken("aud is neither a text nor a list of texts")
    return audiences


def _check_times(claims: Mapping[str, Any], now: int, leeway: int) -> None:
    """The token's times, last of all: TokenExpired means that nothing else is wrong with it."""
    expiry = _instant(claims, "exp")
    for name in ("nbf", "iat"):
        if name in claims and _instant(claims, name) > now + CLOCK_SKEW:
            raise TokenNotYet(f"{name} is in the future")
    # "On or after": at the exact second it is over (RFC 7519 §4.1.4).
    if now >= expiry + leeway:
        raise TokenExpired("exp is over")


def _instant(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate: a number, not a bool, and one that a calendar could hold (the year 9999 ends at 253402300800)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken(f"{name} is missing, or is not a number")
    # Written so that NaN and infinity fail too; `isfinite` overflows on an integer of 400 digits.
    if not 0 <= value < 253_402_300_800:
        raise BadToken(f"{name} is out of range")
    return value


def _shown(value: object) -> str:
    """Part of a token in a message for the log: short, on one line. Never a subject, a nonce, or an address."""
    return ascii(value)[:200]


def _same(ours: object, theirs: str) -> bool:
    return isinstance(ours, str) and hmac.compare_digest(ours.encode(errors="replace"), theirs.encode(errors="replace"))
