"""Read a provider's key set, pick a key from it, and say when to fetch a newer one."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from gateway.core.documents import json_object
from gateway.errors import BadData

# Cognito publishes two, Google three, Microsoft about ten.
MAX_KEYS = 64
# NIST SP 800-131A refuses less than 2048; OpenSSL's own bound is 16384, and 8192 keeps one verification below 1 ms.
MIN_BITS, MAX_BITS = 2048, 8192
# A huge exponent turns each verification into work for the attacker's benefit; Go's crypto/rsa draws the line here too.
MAX_EXPONENT = 2**31 - 1
# Keys of one `kid` that are tried on a token: the old one and the new one of a rotation, and as many to spare.
MAX_SAME_KID = 4

# Seconds. aws-jwt-verify's "penalty box" for an unknown `kid` is 10 s; a key set is trusted for an hour without a look.
UNKNOWN_COOLDOWN = 10
COLD_COOLDOWN = 1
MAX_AGE = 3600

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")


class Fetch(Enum):
    """What to do about a document of the provider before it is used."""

    NO = "use what is held"
    BEHIND = "use what is held, and fetch a newer one behind it"
    FIRST = "fetch before use"


def fetch_decision(*, age: float | None, known: bool, since_attempt: float | None) -> Fetch:
    """Whether to fetch.

    From the `age` of what is held (None: nothing is), whether it has what is looked for (`known`), and the time since
    the last attempt ended (None: there was none). In seconds.

        held | has it | old | then
        -----|--------|-----|------------------------------------
        no   |        |     | FIRST, at most once a second
        yes  | no     |     | FIRST, at most once in ten seconds
        yes  | yes    | yes | BEHIND, at most once in ten seconds
        yes  | yes    | no  | NO
    """
    cooldown = COLD_COOLDOWN if age is None else UNKNOWN_COOLDOWN
    # A clock that was set back must not freeze the keys: a negative span counts as over.
    if since_attempt is not None and 0 <= since_attempt < cooldown:
        return Fetch.NO
    if age is None or not known:
        return Fetch.FIRST
    return Fetch.NO if 0 <= age < MAX_AGE else Fetch.BEHIND


@dataclass(frozen=True, slots=True)
class KeySet:
    """RSA public keys by `kid`; those that came without one are under None."""

    keys: Mapping[str | None, tuple[RSAPublicKey, ...]]

    def candidates(self, kid: str | None) -> tuple[RSAPublicKey, ...]:
        """The keys of that id. A token that names none is served by an only id (OpenID Connect Core §10.1)."""
        if kid is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return self.keys.get(kid, ())


def parse_key_set(data: bytes) -> KeySet:
    """The RS256 verification keys in a JWK set. Others are passed over (RFC 7517 §5); none left is BadData.

    Several keys may have one `kid`; the first MAX_SAME_KID of them count.
    """
    entries = json_object(data).get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise BadData("key set: no list of keys, or too long a one")
    keys: dict[str | None, tuple[RSAPublicKey, ...]] = {}
    for entry in entries:
        if isinstance(entry, dict) and _for_rs256(entry) and (key := _public_key(entry)) is not None:
            kid = entry.get("kid")
            keys[kid] = (*keys.get(kid, ()), key)[:MAX_SAME_KID]
    if not keys:
        raise BadData("key set: no key for RS256 in it")
    return KeySet(keys)


def _for_rs256(entry: Mapping[str, Any]) -> bool:
    """Whether a JWK says nothing against verifying RS256 (RFC 7517 §4)."""
    operations = entry.get("key_ops")
    return (
        entry.get("kty") == "RSA"
        and entry.get("use") in (None, "sig")
        and entry.get("alg") in (None, "RS256")
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and isinstance(entry.get("kid"), str | None)
    )


def _public_key(entry: Mapping[str, Any]) -> RSAPublicKey | None:
    """The public half, and only that, whatever else the entry holds."""
    modulus, exponent = _number(entry.get("n")), _number(entry.get("e"))
    if not MIN_BITS <= modulus.bit_length() <= MAX_BITS or not 3 <= exponent <= MAX_EXPONENT:
        return None
    try:
        return RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:  # an even exponent, say
        return None


def _number(value: object) -> int:
    """Base64urlUInt (RFC 7518 §2); 0 for what is not."""
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        return 0
    digits = value.rstrip("=")
    try:
        return int.from_bytes(urlsafe_b64decode(digits + "=" * (-len(digits) % 4)), "big")
    except ValueError:
        return 0
