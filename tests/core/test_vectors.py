"""The published format: its vectors, read by the gateway and by a reader written from docs/session-format.md alone."""

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.core.packing import DICTIONARY
from gateway.core.seal import KeyRing
from gateway.core.secret import Secret
from gateway.core.session import Session, TokenSet, pack, unpack
from gateway.errors import BadData, BadSeal

VECTORS = Path(__file__).parents[1] / "vectors"
PAGE = Path(__file__).parents[2] / "docs" / "session-format.md"


def cases(name: str) -> list[Any]:
    found = json.loads((VECTORS / f"{name}.json").read_text())
    return [pytest.param(case, id=case["name"]) for case in found]


def ring(case: dict[str, Any]) -> KeyRing:
    return KeyRing([Secret(secret) for secret in case["secrets"]])


# --- the other reader


def hkdf(secret: str, info: str, size: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=size, salt=None, info=b"cognito-gateway/v1/" + info.encode()).derive(
        secret.encode()
    )


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def other_open(case: dict[str, Any]) -> bytes | None:
    """What a sealed value holds, or None."""
    sealed = case["sealed"]
    try:
        data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    except ValueError:
        return None
    secrets = {hkdf(secret, "key-id", 4): secret for secret in case["secrets"]}
    if b64(data) != sealed or len(data) < 33 or data[:4] not in secrets:
        return None
    key = hkdf(secrets[data[:4]], f"seal/{case['purpose']}", 32)
    parts = [part.encode() for part in (case["purpose"], *case["context"])]
    bound = data[:4] + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    try:
        return AESGCMSIV(key).decrypt(data[4:16], data[16:], bound)
    except InvalidTag:
        return None


def other_unpack(data: bytes) -> tuple[list[Any], list[str | None]]:
    """The document and the three tokens of a packed session that is good."""
    end = 4 + int.from_bytes(data[1:4], "big")
    text = bytearray(zlib.decompressobj(-15, zdict=DICTIONARY).decompress(data[4:end]))
    opaque = bytearray(data[end:])

    def take(source: bytearray, size: int) -> bytes:
        taken = bytes(source[:size])
        del source[:size]
        return taken

    def length() -> int:
        first = int.from_bytes(take(text, 2), "big")
        return first if first < 0x8000 else (first - 0x8000) * 256 + take(text, 1)[0]

    def token() -> str | None:
        kind = take(text, 1)[0]
        if kind in (0, 255):
            return take(opaque, length()).decode() if kind else None
        return ".".join(b64(take(text if take(text, 1)[0] else opaque, length())) for _ in range(kind))

    document = json.loads(take(text, length()))
    return document, [token() for _ in range(3)]


# --- the tests


@pytest.mark.parametrize("case", cases("seal"))
def test_sealed_values(case):
    """Each sealed value opens to its bytes or is refused, as its outcome says; every refusal with the same words."""
    box = ring(case).box(case["purpose"], *case["context"])
    if case["outcome"] == "success":
        assert box.open(case["sealed"]).hex() == case["plain"]
    else:
        with pytest.raises(BadSeal, match=r"^the value does not open$"):
            box.open(case["sealed"])


@pytest.mark.parametrize("case", cases("seal"))
def test_another_reader_opens_the_same_values(case):
    """The page is enough to write a reader that agrees with the gateway on every vector."""
    found = other_open(case)
    assert (None if found is None else found.hex()) == case.get("plain")


@pytest.mark.parametrize("case", cases("derive"))
def test_derived_values(case):
    """Derivation gives the published bytes, and so the same on every replica and after every release."""
    parts = [bytes.fromhex(part) for part in case["parts"]]
    assert ring(case).derive(case["key_id"], case["label"], *parts).hex() == case["derived"]


def session_of(case: dict[str, Any]) -> Session:
    given = dict(case["session"])
    id_token, access_token, refresh_token = given.pop("tokens")
    groups = tuple(given.pop("groups"))
    tokens = TokenSet(id_token=id_token, access_token=access_token, refresh_token=refresh_token)
    return Session(**given, groups=groups, tokens=tokens)


@pytest.mark.parametrize("case", cases("session"))
def test_packed_sessions(case):
    """Each packed session is the one that is written beside it, or bad data."""
    packed = bytes.fromhex(case["packed"])
    if case["outcome"] == "success":
        assert unpack(packed) == session_of(case)
        assert unpack(pack(session_of(case))) == session_of(case)
    else:
        with pytest.raises(BadData):
            unpack(packed)


@pytest.mark.parametrize("case", [one for one in cases("session") if one.values[0]["outcome"] == "success"])
def test_another_reader_unpacks_the_same_sessions(case):
    """The page is enough to unpack, too."""
    given = case["session"]
    names = ("id", "version", "created_at", "expires_at", "access_expires_at", "refresh_at", "groups", "claims")
    assert other_unpack(bytes.fromhex(case["packed"])) == ([given[name] for name in names], given["tokens"])


@pytest.mark.parametrize("name", ["seal", "derive", "session"])
def test_every_outcome_is_named_on_the_page(name):
    """What the vectors' outcomes mean stands in docs/session-format.md."""
    page = PAGE.read_text()
    for case in cases(name):
        assert f"`{case.values[0]['outcome']}`" in page


def test_the_dictionary_is_the_published_one():
    """Format 1's dictionary can never change: sessions in browsers depend on it."""
    assert f"`{hashlib.sha256(DICTIONARY).hexdigest()}`" in PAGE.read_text()
