"""The cookies of a sign-in under way: the browser's binding, the rest of a long address, the count of sign-ins."""

import re
import secrets
import struct
from collections.abc import Callable, Iterable
from typing import Final

from gateway.core.cookie_names import CookieNames
from gateway.core.cookies import CookieSpec, RequestCookies, expire, write
from gateway.core.flow import (
    FLOW_SECONDS,
    Binding,
    Flow,
    binding_hash,
    binding_suffix,
    is_bound,
    pack_binding,
    unpack_binding,
)
from gateway.core.seal import Box, KeyRing
from gateway.errors import BadSeal
from gateway.web.spent import Spent

MAX_BINDINGS: Final = 8
"""Binding cookies that a browser may hold; more are removed. Tabs restored at once start cold, each with its own."""
HEAD_BYTES: Final = 4096
"""Of a response's head: nginx's default (proxy_buffer_size)."""
_LINE_BYTES: Final = len("set-cookie: \r\n")

LOOP_SECONDS: Final = 30
LOOP_SIGN_INS: Final = 4
"""This many sign-ins that succeed within this time, each followed by a visit without a session, are a loop: the browser
does not keep the session cookie."""
_COUNT: Final = struct.Struct(">QB")


class FlowCookies:
    """Reads and writes the cookies of sign-in flows for one gateway. `secure`: served over https, with `__Host-`."""

    def __init__(
        self,
        ring: KeyRing,
        context: tuple[str, ...],
        *,
        names: CookieNames,
        secure: bool,
        callback_path: str,
        strict: bool = False,
    ) -> None:
        """`strict`: the session's cookie is `SameSite=Strict`; those of a sign-in never are."""
        self._names = names
        self.strict = strict
        # Only names that `keep` writes: another one may not even be a name that Set-Cookie can carry.
        self._bind_name = re.compile(re.escape(names.binding) + "[A-Za-z0-9_-]{4}")
        self._binding_box = ring.box("binding", *context)
        self._rest_box: Callable[[Flow], Box] = lambda flow: ring.box("return", *context, flow.id.hex())
        self._count_box = ring.box("sign-ins", *context)
        self._count = CookieSpec(names.sign_ins, secure=secure)
        self._callback_path = callback_path
        self._secure = secure
        self._spent = Spent()

    # The binding

    def binding(self, cookies: RequestCookies, now: int) -> Binding:
        """The binding that this browser holds, or a new one; at most `MAX_BINDINGS` cookies are looked at."""
        names = self._binding_names(cookies)[:MAX_BINDINGS]
        held = (binding for name in names for binding in self._opened(cookies, name, now))
        return next(held, None) or Binding(secrets.token_bytes(16))

    def bound(self, cookies: RequestCookies, flow: Flow, now: int) -> bytes | None:
        """The flow's B, if this browser holds it and it is not spent: one name is looked at, whatever else there is."""
        found = self._opened(cookies, self._name_of(flow.binding), now)
        return is_bound(flow, [binding.value for binding in found])

    def keep(self, binding: Binding, now: int) -> bytes:
        """The Set-Cookie value that keeps the binding for another flow's time."""
        spec = self._binding_spec(self._name_of(binding_hash(binding.value)))
        return write(spec, self._binding_box.seal(pack_binding(binding, now)), FLOW_SECONDS)

    def surplus(self, cookies: RequestCookies, kept: Binding) -> list[bytes]:
        """Set-Cookie values that remove other bindings where there are too many, some at a time."""
        present = self._binding_names(cookies)
        own = self._name_of(binding_hash(kept.value))
        others = [name for name in present if name != own] if len(present) > MAX_BINDINGS else []
        return self._removed(others)

    def unbind(self, cookies: RequestCookies, first: bytes = b"") -> list[bytes]:
        """Set-Cookie values that remove the bindings, that of H(B) `first` before the others: B is spent at success.

        At most `MAX_BINDINGS`: what somebody else planted by the hundred ends by itself.
        """
        present = self._binding_names(cookies)
        own = self._name_of(first) if first else ""
        return self._removed(sorted(present, key=lambda name: name != own))

    def spend(self, hashed: bytes, now: int) -> None:
        """B is good for one success (D15). A replica that did not see it is stopped by the code, which is spent too."""
        self._spent.add(hashed, now + FLOW_SECONDS, now)

    def _opened(self, cookies: RequestCookies, name: str, now: int) -> Iterable[Binding]:
        for value in cookies.values(name):
            try:
                opened = unpack_binding(self._binding_box.open(value), now)
            except BadSeal:
                continue
            if opened is not None and binding_hash(opened.value) not in self._spent:
                yield opened

    def _removed(self, names: list[str]) -> list[bytes]:
        return [expire(self._binding_spec(name)) for name in names[:MAX_BINDINGS]]

    def _binding_names(self, cookies: RequestCookies) -> list[str]:
        return [name for name in cookies.names() if self._bind_name.fullmatch(name)]

    def _name_of(self, hashed: bytes) -> str:
        return self._names.binding + binding_suffix(hashed)

    def _binding_spec(self, name: str) -> CookieSpec:
        return CookieSpec(name, secure=self._secure)

    # The rest of a return address that is too long for `state`

    def keep_rest(self, flow: Flow, rest: bytes) -> bytes:
        """The Set-Cookie value that holds the rest until the flow comes back."""
        return write(self._rest_spec(flow.slot), self._rest_box(flow).seal(rest), FLOW_SECONDS)

    def rest(self, cookies: RequestCookies, flow: Flow) -> bytes:
        """What was kept for this flow; b"" when nothing was, or it is not there any more."""
        if not flow.slot:
            return b""
        for value in cookies.values(self._rest_spec(flow.slot).name):
            try:
                return self._rest_box(flow).open(value)
            except BadSeal:
                continue
        return b""

    def drop_rest(self, flow: Flow) -> list[bytes]:
        """The Set-Cookie value that removes it, if there is one."""
        return [expire(self._rest_spec(flow.slot))] if flow.slot else []

    def _rest_spec(self, slot: int) -> CookieSpec:
        # Scoped to the callback, so that it burdens no other request; `__Host-` would forbid that path.
        return CookieSpec(f"{self._names.address}{slot}", path=self._callback_path, secure=self._secure)

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


def fitting(lines: Iterable[bytes], room: int) -> list[bytes]:
    """The first of these Set-Cookie values that fit `room` bytes of a response's head."""
    kept: list[bytes] = []
    for line in lines:
        room -= len(line) + _LINE_BYTES
        if room < 0:
            break
        kept.append(line)
    return kept


def size(lines: Iterable[bytes]) -> int:
    """Bytes that these Set-Cookie values take in a response's head."""
    return sum(len(line) + _LINE_BYTES for line in lines)
