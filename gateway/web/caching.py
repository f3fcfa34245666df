"""Keep shared caches away from what only one person may see."""

from collections.abc import Iterable

from gateway.core.asgi import HeaderList


def private_headers(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """A response's header lines with `public` and `s-maxage` gone from Cache-Control, and `private` in their place.

    RFC 9111 §5.2.2: `public` and `s-maxage` let a shared cache keep an answer to one person's request; so may no
    Cache-Control at all (§3, heuristics). `no-store` and `private` say enough already.
    """
    kept = []
    said = False
    for name, value in headers:
        if name.lower() == b"cache-control":
            said = True
            kept.append((name, _private(value)))
        else:
            kept.append((name, value))
    if not said:
        kept.append((b"cache-control", b"private"))
    return kept


def _private(value: bytes) -> bytes:
    lowered = value.lower()
    if b"public" not in lowered and b"s-maxage" not in lowered:
        return value if b"private" in lowered or b"no-store" in lowered else value + b", private"
    directives = [directive.strip() for directive in value.split(b",")]
    kept = [part for part in directives if part.lower() != b"public" and not part.lower().startswith(b"s-maxage")]
    return b", ".join([b"private", *(part for part in kept if part.lower() != b"private")])
