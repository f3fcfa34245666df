"""The vocabulary of ASGI 3, as type aliases."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
BARE_QUERY = "gateway.bare_query"
"""A key of the scope, present when the request target ended with a question mark and nothing behind it."""
HeaderList = list[tuple[bytes, bytes]]
"""Header lines in the order received, names in lower case, as ASGI has them."""
