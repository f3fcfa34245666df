"""The cookies of a sign-in under way: the browser's binding, a long return address, the count of recent sign-ins."""

import re
import secrets
import struct
from collections.abc import Callable
from typing import Final

from gateway.core.cookies import CookieSpec, RequestCookies, expire, write
from gateway.core.flow import (
    FLOW_SECONDS,
    Flow,
    binding_hash,
    binding_suffix,
    pack_binding,
    unpack_binding,
)
from gateway.core.seal import Box, KeyRing
from gateway.errors import BadSeal

MAX_BINDINGS: Final = 8
"""Binding cookies that a browser may hold; more are removed. Tabs restored at once start cold, each with its own."""
_RETURN_SLOTS: Final = 3
_RETURN_BYTES: Final = 2900
"""Bytes of a return address whose sealed cookie still fits 4,096 bytes."""

LOOP_SECONDS: Final = 30
LOOP_SIGN_INS: Final = 4
"""This many sign-ins that succeed within this time, each followed by a visit without a session, are a loop: the browser
does not keep the session cookie."""
_COUNT: Final = struct.Struct(">QB")


class FlowCookies:
    """Reads and writes the cookies of sign-in flows for one gateway. `secure`: served over https, with `__Host-`."""

    def __init__(self, ring: KeyRing, context: tuple[str, ...], *, secure: bool, callback_path: str) -> None:
        prefix = "__Host-" if secure else ""
        self._bind_prefix = f"{prefix}cg_bind_"
        # Only names that `bind` writes: another one may not even be a name that Set-Cookie can carry.
        self._bind_name = re.compile(re.escape(self._bind_prefix) + "[A-Za-z0-9_-]{4}")
        self._binding_box = ring.box("binding", *context)
        self._return_box: Callable[[Flow], Box] = lambda flow: ring.box("return", *context, flow.id.hex())
        self._count_box = ring.box("sign-ins", *context)
        self._count = CookieSpec(f"{prefix}cg_signins", secure=secure)
        # Scoped to the callback, so that it burdens no other request; `__Host-` would forbid that path.
        self._return_prefix = f"{'__Secure-' if secure else ''}cg_return_"
        self._callback_path = callback_path
        self._secure = secure
        self._spent: dict[bytes, int] = {}

    # The binding

    def bindings(self, cookies: RequestCookies, now: int) -> list[bytes]:
        """Every B that this browser holds, in time and not spent; at most `MAX_BINDINGS` are looked at."""
        found: list[bytes] = []
        for name in self._binding_names(cookies)[:MAX_BINDINGS]:
            for value in cookies.values(name):
                try:
                    opened = unpack_binding(self._binding_box.open(value), now)
                except BadSeal:
                    continue
                if opened is not None and binding_hash(opened) not in self._spent:
                    found.append(opened)
        return found

    def bind(self, cookies: RequestCookies, now: int) -> tuple[bytes, list[bytes]]:
        """The browser's B, reused or new, and the Set-Cookie values that keep it for another flow's time."""
        held = self.bindings(cookies, now)
        value = held[0] if held else secrets.token_bytes(16)
        spec = self._binding_spec(self._bind_prefix + binding_suffix(binding_hash(value)))
        lines = [write(spec, self._binding_box.seal(pack_binding(value, now)), FLOW_SECONDS)]
        present = self._binding_names(cookies)
        if len(present) > MAX_BINDINGS:
            lines += [expire(self._binding_spec(name)) for name in present if name != spec.name]
        return value, lines

    def unbind(self, cookies: RequestCookies) -> list[bytes]:
        """Set-Cookie values that remove every binding: B is spent at success."""
        return [expire(self._binding_spec(name)) for name in self._binding_names(cookies)]

    def spend(self, hashed: bytes, now: int) -> None:
        """B is good for one success (D15). A replica that did not see it is stopped by the code, which is spent too."""
        self._spent.pop(hashed, None)
        self._spent[hashed] = now + FLOW_SECONDS
        while self._spent[oldest := next(iter(self._spent))] <= now:
            del self._spent[oldest]

    def _binding_names(self, cookies: RequestCookies) -> list[str]:
        return [name for name in cookies.names() if self._bind_name.fullmatch(name)]

    def _binding_spec(self, name: str) -> CookieSpec:
        return CookieSpec(name, secure=self._secure)

    # A return address that is too long for `state`

    def keep_return(self, flow: Flow, return_to: str) -> list[bytes]:
        """Set-Cookie values that hold the address until the flow comes back; none when it is too long even for that."""
        raw = return_to.encode()
        if len(raw) > _RETURN_BYTES:
            return []
        return [write(self._return_spec(flow), self._return_box(flow).seal(raw), FLOW_SECONDS)]

    def returned(self, cookies: RequestCookies, flow: Flow) -> str | None:
        """The address kept for this flow, if it is still there (a later flow may have taken its slot)."""
        for value in cookies.values(self._return_spec(flow).name):
            try:
                return self._return_box(flow).open(value).decode()
            except (BadSeal, UnicodeDecodeError):
                continue
        return None

    def drop_return(self, flow: Flow) -> bytes:
        """The Set-Cookie value that removes it."""
        return expire(self._return_spec(flow))

    def _return_spec(self, flow: Flow) -> CookieSpec:
        # The flow's id chooses one of three slots, so that there are never more than three.
        name = f"{self._return_prefix}{flow.id[0] % _RETURN_SLOTS}"
        return CookieSpec(name, path=self._callback_path, secure=self._secure)

    # The redirect-loop breaker

    def looping(self, cookies: RequestCookies, now: int) -> bool:
        """Whether this browser has just signed in several times and still comes without a session."""
        return self._recent(cookies, now)[1] >= LOOP_SIGN_INS

    def count_sign_in(self, cookies: RequestCookies, now: int) -> bytes:
        """The Set-Cookie value that counts one more sign-in."""
        since, count = self._recent(cookies, now)
        return write(self._count, self._count_box.seal(_COUNT.pack(since, min(count + 1, 255))), LOOP_SECONDS)

    def forget_sign_ins(self) -> bytes:
        """The Set-Cookie value that ends counting: the person asked to sign in, or signed out."""
        return expire(self._count)

    def _recent(self, cookies: RequestCookies, now: int) -> tuple[int, int]:
        for value in cookies.values(self._count.name):
            try:
                since, count = _COUNT.unpack(self._count_box.open(value))
            except (BadSeal, struct.error):
                continue
            if 0 <= now - since < LOOP_SECONDS:
                return since, count
        return now, 0
