"""Read the pool's own cookies from a request.

Starlette's `request.cookies` removes quotes and Unicode spaces, and takes the last of several cookies of one name,
which is the one that a sibling domain or a longer path may have planted (RFC 6265 §8.6).
"""

from starlette.requests import Request

from gateway.core.cookies import RequestCookies


def every(request: Request, name: str) -> list[str]:
    """The values of the cookies of that name, the first `MAX_CANDIDATES` of them."""
    return RequestCookies([value for field, value in request.scope["headers"] if field == b"cookie"]).values(name)


def only(request: Request, name: str) -> str:
    """The value of the one cookie of that name; empty when there is none, and when there are two or more."""
    found = every(request, name)
    return found[0] if len(found) == 1 else ""
