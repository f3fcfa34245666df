"""What the gateway's handlers read from a request, each within bounds."""

from typing import Final
from urllib.parse import parse_qsl

from gateway.core.asgi import HeaderList, Receive
from gateway.core.cookies import RequestCookies
from gateway.errors import BadData

REQUEST_ID: Final = "gateway.request_id"
"""Where the scope of the gateway's own addresses has the request's id, as bytes."""


def request_cookies(headers: HeaderList) -> RequestCookies:
    """The cookies of all Cookie header lines (HTTP/2 may split them)."""
    return RequestCookies([value for name, value in headers if name == b"cookie"])


def same_origin(headers: HeaderList, origin: str) -> bool:
    """Whether the browser itself says that the request comes from our own pages (Fetch Metadata, or `Origin`).

    `Sec-Fetch-Site` decides when it is there: `same-site` is not enough, since a sibling host may belong to others.
    """
    site = [value for name, value in headers if name == b"sec-fetch-site"]
    if site:
        return site == [b"same-origin"]
    return [value for name, value in headers if name == b"origin"] == [origin.encode()]


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body. Raises BadData when it is longer than `limit` bytes or the client went away."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BadData("the client went away")
        body += message.get("body", b"")
        if len(body) > limit:
            raise BadData("the form is too large")
        if not message.get("more_body", False):
            return bytes(body)


def single(query: bytes, name: str) -> str | None:
    """The value of a parameter that stands there once; None when it is absent, repeated or not readable."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=32)
    except (UnicodeDecodeError, ValueError):
        return None
    found = [value for key, value in pairs if key == name]
    return found[0] if len(found) == 1 else None
