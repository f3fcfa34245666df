"""Pack a session's JSON and tokens into few bytes, and back, exactly.

A session is sealed into a cookie, and a cookie ends at 4,096 bytes. So a token is cut at its dots and its base64 is
undone (a quarter less). The parts that are JSON are deflated together with the session's own JSON: the claims repeat in
it, and a dictionary knows Cognito's claim names. Signatures and ciphertexts, which do not compress, are kept as they
are. A token that would not come back byte for byte is kept as text. docs/session-format.md publishes the format.
"""

import zlib
from collections.abc import Sequence

from gateway.core.seal import decode, encode
from gateway.errors import BadData

FORMAT = 1
MAX_TEXT = 256 * 1024
"""Inflated bytes: two of the largest tokens with claims, so that a cookie is no bomb (C9). Holds when packing, too."""

MAX_SEGMENTS = 8  # a JWT has 3, a JWE 5 (RFC 7516 §7.1)
ABSENT, AS_TEXT = 0, 255

DICTIONARY = (
    b'"preferred_username":"picture":"https://"locale":"zoneinfo":"nickname":"middle_name":"website":"profile":"gender":"'
    b'birthdate":"address":{"formatted":"updated_at":"phone_number":"+phone_number_verified":falsecustom:"name":"'
    b'{"cty":"JWT","enc":"A256GCM","alg":"RSA-OAEP"}{"alg":"RS256","typ":"JWT","kid":"{"kid":"=","alg":"RS256"}'
    b'"identities":[{"dateCreated":"","userId":"","providerName":"","providerType":"","issuer":null,"primary":"true"}],'
    b'"cognito:preferred_role":"arn:aws:iam::role/","cognito:roles":["arn:aws:iam::","],"acr":"amr":["pwd"],'
    b'"device_key":"username":"version":2,"client_id":"token_use":"access","scope":"aws.cognito.signin.user.admin '
    b'phone openid profile email","at_hash":"nonce":"origin_jti":"aud":"event_id":"token_use":"id","auth_time":17,'
    b'"exp":17,"iat":17,"jti":"cognito:username":"given_name":"family_name":"email":"@example.com","email_verified":true,'
    b'"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_us-east-1_","cognito:groups":["admins"],{"sub":"-4'
)
"""Format 1's dictionary. It can never change: format 2 would bring its own."""


def pack_parts(document: bytes, tokens: Sequence[str | None]) -> bytes:
    """One JSON document and some tokens as bytes. Raises BadData when they are too large to be opened again."""
    text, opaque = bytearray(), bytearray()
    _put(text, text, document)
    for token in tokens:
        _put_token(text, opaque, token)
    if len(text) > MAX_TEXT or len(opaque) > MAX_TEXT:
        raise BadData("the session is too large")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zdict=DICTIONARY)
    squeezed = squeeze.compress(bytes(text)) + squeeze.flush()
    return bytes([FORMAT]) + len(squeezed).to_bytes(3, "big") + squeezed + opaque


def unpack_parts(data: bytes, count: int) -> tuple[bytes, list[str | None]]:
    """The document and the `count` tokens that `pack_parts` wrote. Raises BadData on anything else."""
    if data[:1] != bytes([FORMAT]):
        raise BadData("not this format")
    end = 4 + int.from_bytes(data[1:4], "big")
    text, opaque = _Reader(_inflate(data[4:end])), _Reader(data[end:])
    document = text.take(text.number())
    tokens = [_take_token(text, opaque) for _ in range(count)]
    if text.left or opaque.left:
        raise BadData("something is left over")
    return document, tokens


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(-15, zdict=DICTIONARY)
    try:
        text = inflater.decompress(data, MAX_TEXT + 1)
    except zlib.error:
        raise BadData("not deflated") from None
    if not inflater.eof or inflater.unused_data:
        raise BadData("deflated text too long, cut off, or followed by something")
    return text


def _put_token(text: bytearray, opaque: bytearray, token: str | None) -> None:
    if token is None:
        text.append(ABSENT)
        return
    segments = _segments(token)
    if segments is None:
        text.append(AS_TEXT)
        _put(text, opaque, token.encode("utf-8", "surrogatepass"))
        return
    text.append(len(segments))
    for segment in segments:
        is_json = segment.startswith(b"{")
        text.append(is_json)
        _put(text, text if is_json else opaque, segment)


def _segments(token: str) -> list[bytes] | None:
    """The token's segments without their base64; None when they would not come back byte for byte."""
    parts = token.split(".", MAX_SEGMENTS)
    if len(parts) > MAX_SEGMENTS:
        return None
    try:
        return [decode(part) for part in parts]
    except ValueError:
        return None


def _take_token(text: "_Reader", opaque: "_Reader") -> str | None:
    count = text.byte()
    if count == ABSENT:
        return None
    if count == AS_TEXT:
        try:
            return opaque.take(text.number()).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise BadData("not text") from None
    if count > MAX_SEGMENTS:
        raise BadData("too many segments")
    return ".".join(encode(_take_segment(text, opaque)) for _ in range(count))


def _take_segment(text: "_Reader", opaque: "_Reader") -> bytes:
    source = text if text.byte() else opaque
    return source.take(text.number())


def _put(lengths: bytearray, target: bytearray, data: bytes) -> None:
    """The data's length (two bytes; three from 0x8000 on) among the lengths, the data into its target."""
    size = len(data)
    if size < 0x8000:
        lengths += size.to_bytes(2, "big")
    else:
        lengths += (min(size, 0x7FFFFF) | 0x800000).to_bytes(3, "big")
    target += data


class _Reader:
    """Reads from the front, and never beyond the end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise BadData("cut off")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        first = int.from_bytes(self.take(2), "big")
        return first if first < 0x8000 else (first & 0x7FFF) << 8 | self.byte()
