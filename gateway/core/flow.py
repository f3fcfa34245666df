"""One sign-in flow: what its `state` carries, what binds it to a browser, and what to do when it comes back.

Nothing is stored for a flow. The browser holds one sealed value B for any number of tabs; each flow has a random id and
travels as `state`, sealed; the PKCE verifier and the nonce are derived from both, so any replica finishes any flow.
"""

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from gateway.errors import BadData

FLOW_SECONDS: Final = 15 * 60
"""How long a flow and its browser binding are good for (an ALB gives a sign-in 15 minutes)."""
MAX_ATTEMPTS: Final = 3
"""Sign-ins started in a row for one visit, before a page explains instead."""
MAX_STATE_RETURN: Final = 640
"""Bytes of a packed return address that `state` may carry: sealed and in base64url it then stays under 1 KB, which
every provider takes. The rest of a longer one rides in a cookie."""
SLOTS: Final = 3
"""Cookies that a browser may hold for the rests of long addresses."""
MAX_REST: Final = 1070
"""Bytes of a rest: its cookie has 1,500 characters. Three of them, eight bindings and a session of 2.6 KB fit the 8 KiB
that nginx allows a Cookie line, and one fits the 4 KiB that it allows the head of a response."""

_LAYOUT: Final = struct.Struct(">BBB16sQ16s")
_FORMAT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What `state` says once opened. `address` is the packed return address; where `slot` is not 0 it is only the
    beginning, and the rest is in the cookie of that slot."""

    id: bytes
    started_at: int
    attempt: int
    binding: bytes
    address: bytes
    slot: int = 0

    @property
    def ends_at(self) -> int:
        """The first second after the flow's time."""
        return self.started_at + FLOW_SECONDS

    def fresh(self, now: int) -> bool:
        """Whether `now` is within the flow's time; a flow from the future is not (clock trouble or forgery)."""
        return self.started_at <= now < self.ends_at


def pack_flow(flow: Flow) -> bytes:
    """The bytes to seal as `state`."""
    return _LAYOUT.pack(_FORMAT, flow.attempt, flow.slot, flow.id, flow.started_at, flow.binding) + flow.address


def unpack_flow(data: bytes) -> Flow:
    """The flow in an opened `state`. Raises `BadData`."""
    try:
        version, attempt, slot, flow_id, started_at, binding = _LAYOUT.unpack_from(data)
    except struct.error as error:
        raise BadData("not a flow") from error
    if version != _FORMAT or slot > SLOTS:
        raise BadData("not a flow of this version")
    address = data[_LAYOUT.size :]
    return Flow(id=flow_id, started_at=started_at, attempt=attempt, binding=binding, address=address, slot=slot)


_BINDING_LAYOUT: Final = struct.Struct(f">16sQ{SLOTS}H")


@dataclass(frozen=True, slots=True)
class Binding:
    """What a browser's binding cookie says: B (16 bytes), and the second until which each slot is taken by the address
    of another tab. Cookies for the callback alone are not seen where a sign-in begins."""

    value: bytes
    taken: tuple[int, ...] = (0,) * SLOTS

    def free_slot(self, first: int, now: int) -> int:
        """A slot that no tab uses, beginning with number `first`; 0 when there is none."""
        order = ((first + step) % SLOTS for step in range(SLOTS))
        return next((slot + 1 for slot in order if self.taken[slot] <= now), 0)

    def with_slot(self, slot: int, until: int) -> "Binding":
        """The same binding with that slot taken."""
        taken = tuple(until if number == slot else end for number, end in enumerate(self.taken, 1))
        return replace(self, taken=taken)


def pack_binding(binding: Binding, now: int) -> bytes:
    """The bytes to seal as the browser's binding cookie, given `now`."""
    return _BINDING_LAYOUT.pack(binding.value, now, *(max(0, until - now) for until in binding.taken))


def unpack_binding(data: bytes, now: int) -> Binding | None:
    """The binding, or None when it is none or its time is over (oauth2-proxy #3369: the time is checked here, not left
    to the browser)."""
    try:
        value, given_at, *left = _BINDING_LAYOUT.unpack(data)
    except struct.error:
        return None
    return Binding(value, tuple(given_at + seconds for seconds in left)) if 0 <= now - given_at < FLOW_SECONDS else None


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


class Stale(Enum):
    """Why a flow that comes back cannot be finished; the values are for the log."""

    LATE = "its time was over"
    """Its time is over."""
    UNBOUND = "the browser did not bring its cookie"
    """The browser does not have its binding: another browser's flow, or cookies that are not kept."""
    SEEN = "it had come back before"
    """It came back before: the code was sent to the provider then."""
    REFUSED = "the provider did not accept its code"
    """The provider refuses the code."""


def staleness(flow: Flow, now: int, *, bound: bool, seen: bool) -> Stale | None:
    """What is wrong with a flow before its code is redeemed. `bound`: its B is this browser's and not spent; `seen`: it
    came back before."""
    if not flow.fresh(now):
        return Stale.LATE
    if not bound:
        return Stale.UNBOUND
    return Stale.SEEN if seen else None


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


def judge_callback(flow: Flow, stale: Stale | None, *, signed_in: bool) -> Step:
    """The first row that fits."""
    if stale is None:
        return Step.EXCHANGE
    if signed_in:
        return Step.GO_ON
    return Step.RESTART if flow.attempt < MAX_ATTEMPTS else Step.EXPLAIN
