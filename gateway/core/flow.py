"""One sign-in flow: what its `state` carries, what binds it to a browser, and what to do when it comes back.

Nothing is stored for a flow. The browser holds one sealed value B for any number of tabs; each flow has a random id and
travels as `state`, sealed; the PKCE verifier and the nonce are derived from both, so any replica finishes any flow.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from gateway.errors import BadData

FLOW_SECONDS: Final = 15 * 60
"""How long a flow and its browser binding are good for (an ALB gives a sign-in 15 minutes)."""
MAX_ATTEMPTS: Final = 3
"""Sign-ins started in a row for one visit, before a page explains instead."""
MAX_STATE_RETURN: Final = 640
"""Bytes of a return address that `state` may carry: sealed and in base64url it then stays under 1 KB, which every
provider takes. A longer one rides in a cookie."""

_LAYOUT: Final = struct.Struct(">BB16sQ16s")
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What `state` says once opened. `return_to` is None when the return address rides in a cookie."""

    id: bytes
    started_at: int
    attempt: int
    binding: bytes
    return_to: str | None

    def fresh(self, now: int) -> bool:
        """Whether `now` is within the flow's time; a flow from the future is not (clock trouble or forgery)."""
        return 0 <= now - self.started_at < FLOW_SECONDS


def pack_flow(flow: Flow) -> bytes:
    """The bytes to seal as `state`."""
    head = _LAYOUT.pack(_FORMAT, flow.attempt, flow.id, flow.started_at, flow.binding)
    return head if flow.return_to is None else head + flow.return_to.encode()


def unpack_flow(data: bytes) -> Flow:
    """The flow in an opened `state`. Raises `BadData`."""
    try:
        version, attempt, flow_id, started_at, binding = _LAYOUT.unpack_from(data)
        return_to = data[_LAYOUT.size :].decode() or None
    except (struct.error, UnicodeDecodeError) as error:
        raise BadData("not a flow") from error
    if version != _FORMAT:
        raise BadData("not a flow of this version")
    return Flow(id=flow_id, started_at=started_at, attempt=attempt, binding=binding, return_to=return_to)


_BINDING_LAYOUT: Final = struct.Struct(">16sQ")


def pack_binding(value: bytes, now: int) -> bytes:
    """The bytes to seal as the browser's binding cookie: B (16 bytes) and when it was given."""
    return _BINDING_LAYOUT.pack(value, now)


def unpack_binding(data: bytes, now: int) -> bytes | None:
    """B, or None when it is no binding or its time is over (oauth2-proxy #3369: the time is checked here, not left
    to the browser)."""
    try:
        value, given_at = _BINDING_LAYOUT.unpack(data)
    except struct.error:
        return None
    return bytes(value) if 0 <= now - given_at < FLOW_SECONDS else None


def binding_hash(value: bytes) -> bytes:
    """H(B): names the binding in `state` without telling it. 16 bytes."""
    return hashlib.sha256(b"cognito-gateway binding v1\0" + value).digest()[:16]


def binding_suffix(hashed: bytes) -> str:
    """The last four characters of the binding cookie's name, from H(B)."""
    return base64.urlsafe_b64encode(hashed).decode()[:4]


def is_bound(flow: Flow, values: list[bytes]) -> bytes | None:
    """The B that this flow belongs to, when the browser has it."""
    for value in values:
        if hmac.compare_digest(binding_hash(value), flow.binding):
            return value
    return None


Derive = Callable[[str, bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class FlowSecrets:
    """The PKCE verifier (RFC 7636 §4.1, 43 characters) and the nonce (OpenID Connect Core §3.1.2.1) of one flow."""

    code_verifier: str
    nonce: str

    def __repr__(self) -> str:
        return "FlowSecrets(**********)"


def flow_secrets(derive: Derive, binding: bytes, flow_id: bytes) -> FlowSecrets:
    """Both are derived, each under its own label, from the key of the opened `state`, from B and from the id."""

    def text(label: str) -> str:
        return base64.urlsafe_b64encode(derive(label, binding, flow_id)).rstrip(b"=").decode()

    return FlowSecrets(code_verifier=text("pkce v1"), nonce=text("nonce v1"))


class Step(Enum):
    """What to do with a browser that comes back with a code and a `state` that opens."""

    EXCHANGE = auto()
    """Redeem the code."""
    GO_ON = auto()
    """Signed in already (another tab was faster): on to the return address."""
    RESTART = auto()
    """Start the sign-in again, counted."""
    EXPLAIN = auto()
    """Too many starts in a row: a page that says what may be wrong."""


def judge_callback(flow: Flow, *, usable: bool, signed_in: bool) -> Step:
    """The first row that fits. `usable`: the flow is fresh, its B is this browser's and not spent, and its code has not
    been refused."""
    if usable:
        return Step.EXCHANGE
    if signed_in:
        return Step.GO_ON
    return Step.RESTART if flow.attempt < MAX_ATTEMPTS else Step.EXPLAIN
