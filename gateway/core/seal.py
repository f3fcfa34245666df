"""Seal small values with a ring of keys, each use under a label of its own.

A sealed value is base64url without padding of `key id (4) · nonce (12) · ciphertext and tag`. The cipher is
AES-256-GCM-SIV (RFC 8452): should a nonce repeat by chance, that reveals only whether two values are equal, however
many values strangers make us seal (every visitor gets a `state`). Keys come from HKDF-SHA256 (RFC 5869) with a
versioned label per use. The associated data binds the key id, the purpose and the context. docs/session-format.md
publishes the format, tests/vectors its examples.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.core.secret import Secret
from gateway.errors import BadSeal

LABEL = b"cognito-gateway/v1/"
"""Begins every HKDF label. A new format gets a new version here, and then opens none of the old values."""

KEY_ID_BYTES = 4
NONCE_BYTES = 12  # RFC 8452 §4
TAG_BYTES = 16
MAX_SEALED = 64 * 1024
"""Characters of a sealed value that are looked at at all: twice the request header limit, so never a real one."""

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


class KeyRing:
    """Keys derived from configured secrets, newest first: the first seals, all open."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        """Raises ValueError when there is no secret. How good each must be is the settings' business."""
        if not secrets:
            raise ValueError("a key ring needs at least one secret")
        roots = [secret.reveal().encode() for secret in secrets]
        self._roots = {_hkdf(root, b"key-id", KEY_ID_BYTES).hex(): root for root in reversed(roots)}
        self._newest = _hkdf(roots[0], b"key-id", KEY_ID_BYTES).hex()

    def box(self, purpose: str, *context: str) -> "Box":
        """A box whose values open only for the same purpose and the same context (cookie name, issuer, client, …)."""
        keys = {key_id: _hkdf(root, b"seal/" + purpose.encode(), 32) for key_id, root in self._roots.items()}
        return Box(keys, self._newest, frame(purpose.encode(), *(part.encode() for part in context)))

    def key_ids(self) -> tuple[str, ...]:
        """The ring's key ids, newest first."""
        return (self._newest, *(key_id for key_id in reversed(self._roots) if key_id != self._newest))

    def derive(self, key_id: str, label: str, *parts: bytes) -> bytes:
        """32 bytes, the same for the same arguments. Raises BadSeal for a key id that is not in the ring."""
        root = self._roots.get(key_id)
        if root is None:
            raise BadSeal("no such key")
        return hmac.digest(_hkdf(root, b"derive/" + label.encode(), 32), frame(*parts), "sha256")

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.key_ids())})"


class Box:
    """Seals and opens values of one purpose and context. Made by `KeyRing.box`."""

    __slots__ = ("_bound", "_ciphers", "_newest", "newest_key_id")

    def __init__(self, keys: dict[str, bytes], newest_key_id: str, bound: bytes) -> None:
        self._ciphers = {bytes.fromhex(key_id): AESGCMSIV(key) for key_id, key in keys.items()}
        self._bound = bound
        self._newest = bytes.fromhex(newest_key_id)
        self.newest_key_id = newest_key_id

    def seal(self, plain: bytes) -> str:
        """The sealed value as base64url without padding. Raises ValueError for nothing: `open` would refuse it."""
        if not plain:
            raise ValueError("nothing to seal")
        nonce = token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, plain, self._newest + self._bound)
        return encode(self._newest + nonce + sealed)

    def open(self, sealed: str) -> bytes:
        """What was sealed. Raises BadSeal, always with the same message."""
        return self.open_keyed(sealed)[1]

    def open_keyed(self, sealed: str) -> tuple[str, bytes]:
        """The key id it was sealed under (for `KeyRing.derive`), and what was sealed. Raises BadSeal."""
        data = _decode_sealed(sealed)
        key_id, nonce, rest = data[:KEY_ID_BYTES], data[KEY_ID_BYTES:16], data[16:]
        # An unknown key id costs the same work as a wrong tag (C1); it cannot open, being part of the associated data.
        cipher = self._ciphers.get(key_id) or self._ciphers[self._newest]
        try:
            return key_id.hex(), cipher.decrypt(nonce, rest, key_id + self._bound)
        except InvalidTag:
            raise _bad_seal() from None


def frame(*parts: bytes) -> bytes:
    """The parts as one text that no other parts can make: each with its length in front (C3, Envoy CVE-2023-35941)."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def encode(data: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes that `encode` made this text of. Raises ValueError for any other spelling of them, too.

    Python's own decoder skips foreign characters and ignores stray bits at the end: one value, many spellings.
    """
    raw = text.encode("ascii")
    if raw.translate(None, _ALPHABET) or len(raw) % 4 == 1:
        raise ValueError("not base64url")
    data = binascii.a2b_base64(raw.translate(_TO_STANDARD) + b"=" * (-len(raw) % 4))
    if len(raw) % 4 and encode(data[-(len(data) % 3) :]) != text[-(len(raw) % 4) :]:
        raise ValueError("not the canonical base64url")
    return data


def _decode_sealed(sealed: str) -> bytes:
    if len(sealed) > MAX_SEALED:
        raise _bad_seal()
    try:
        data = decode(sealed)
    except ValueError:
        raise _bad_seal() from None
    # A tag alone is refused, too: OpenSSL did not check it where nothing was encrypted (CVE-2026-45446).
    if len(data) <= KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES:
        raise _bad_seal()
    return data


def _bad_seal() -> BadSeal:
    return BadSeal("the value does not open")


def _hkdf(root: bytes, label: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=LABEL + label).derive(root)
