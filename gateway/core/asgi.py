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
INTERIM = "gateway.response.interim"
"""An extension of ours, and the type of its message: `status` (102 to 199) and `headers`, any number of times before
the response starts. ASGI's own `http.response.early_hint` knows only the links of a 103."""
HeaderList = list[tuple[bytes, bytes]]
"""Header lines in the order received, names in lower case, as ASGI has them."""
