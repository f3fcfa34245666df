"""Rewrite a message's header lines between its two hops.

All that a client may not say is dropped before the gateway's own lines are added: so nothing that it writes, not even
in `Connection`, can touch ours (A1, A2).
"""

from collections.abc import Iterable
from itertools import product
from urllib.parse import urlsplit

from gateway.core.asgi import HeaderList
from gateway.core.identity_headers import fold
from gateway.core.own_cookies import without_own
from gateway.core.trust import TrustedPeers

_MEMO_ENTRIES = 1024
_MEMO_NAME_BYTES = 64
_MEMO_CHAIN_BYTES = 256
"""What strangers send fills memory up to these bounds and no further."""

# What to do with a line, by its name.
_KEEP, _DROP, _COOKIE, _CONNECTION, _UPGRADE, _FORWARDED_FOR, _FRONT, _HEARD = range(8)

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authentication-info proxy-authorization proxy-connection te"
    b" trailer transfer-encoding upgrade http2-settings".split()
)
"""RFC 9110 §7.6.1, and the old ones that Connection does not always name."""

_SAYS_NOTHING = frozenset({b"keep-alive", b"Keep-Alive", b"close", b"Close"})
"""What Connection says in nearly every request: about this hop, and naming no other line."""

# `Connection: content-length` would take away the framing, not a header.
_NEVER_NAMED = frozenset({b"content-length", b"transfer-encoding", b"host"})

_REBUILT = frozenset(b"forwarded x-forwarded-host x-forwarded-port x-forwarded-proto".split())

_OVERRIDES = frozenset(
    b"x-original-url x-original-uri x-original-method x-original-host x-rewrite-url x-forwarded-uri x-forwarded-method"
    b" x-forwarded-path x-forwarded-scheme x-forwarded-protocol x-forwarded-ssl x-forwarded-server x-url-scheme"
    b" x-scheme x-host front-end-https x-envoy-original-path x-envoy-original-host proxy".split()
)
"""Frameworks route by these, or build addresses from them: what was judged must be what is served (A9-A11).

`Proxy` becomes HTTP_PROXY in CGI (CVE-2016-5385).
"""

_FROM_FRONT = frozenset(
    b"x-forwarded-prefix x-forwarded-client-cert x-real-ip x-client-ip x-cluster-client-ip true-client-ip"
    b" cf-connecting-ip fastly-client-ip x-original-forwarded-for x-envoy-external-address"
    b" x-ssl-client-cert x-ssl-client-verify x-ssl-client-s-dn x-client-cert".split()
)
"""Facts that a front server knows and a client invents: they pass from trusted peers only (Q14)."""


def _spellings(name: bytes) -> list[bytes]:
    """The name with every mix of `-`, `_` and `.`: some applications take them for one another."""
    first, *rest = name.split(b"-")
    mixes = product(b"-_.", repeat=len(rest))
    return [first + b"".join(b"%c%b" % pair for pair in zip(mix, rest, strict=True)) for mix in mixes]


METHOD_OVERRIDES = frozenset(
    spelling
    for name in (b"x-http-method-override", b"x-http-method", b"x-method-override")
    for spelling in _spellings(name)
)
"""Frameworks that honour one of these serve another method than the one in the request line."""

HEARD = METHOD_OVERRIDES | {b"cookie", b"authorization"}
"""The header lines that a verdict can depend on: `Forwarding.split` finds none of them plain."""

_SPECIAL = (
    dict.fromkeys(_HOP_BY_HOP | _REBUILT | _OVERRIDES, _DROP)
    | dict.fromkeys(_FROM_FRONT, _FRONT)
    | dict.fromkeys(HEARD, _HEARD)
    | {
        b"transfer-encoding": _KEEP,
        b"cookie": _COOKIE,
        b"connection": _CONNECTION,
        b"upgrade": _UPGRADE,
        b"x-forwarded-for": _FORWARDED_FOR,
    }
)

_WEBSOCKET = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
_DEFAULT_PORTS = {"http": 80, "https": 443}

_OWNED_PREFIXES = (b"x-amzn-oidc-", b"x-auth-request-")


class Forwarding:
    """What the gateway does to the header lines of every request, whichever way it came in."""

    def __init__(self, *, owned: frozenset[bytes], public_url: str, trusted: TrustedPeers) -> None:
        """`owned`: from `identity_headers.owned_names`; `public_url`: where browsers see the gateway."""
        self._owned = owned
        self._trusted = trusted
        self._verdicts: dict[bytes, int] = {}
        self._plain: set[bytes] = set()  # the names among them whose lines are kept
        self._place = _Place(public_url)
        self._chains: dict[tuple[str | None, bytes], HeaderList] = {}

    def split(self, headers: HeaderList) -> tuple[HeaderList, HeaderList]:
        """The lines that mean nothing to the gateway, and the others, among them all that its verdict can depend on.

        `headers` as ASGI has them, names in lower case. Two new lists.
        """
        plain: HeaderList = []
        other: HeaderList = []
        known = self._plain
        for line in headers:
            if line[0] in known or self._judge(line[0]) == _KEEP:
                plain.append(line)
            else:
                other.append(line)
        return plain, other

    def request_headers(
        self, plain: HeaderList, other: HeaderList, peer: tuple[str, int] | None, block: HeaderList
    ) -> HeaderList:
        """The lines to send on, from what `split` gave: `plain`, longer, with `block` (the session's identity, or
        nothing) at its end.

        `peer` is the scope's `client`. Transfer-Encoding stays, since a server that got this far vouches for it and the
        application must know that a body comes.
        """
        out = plain
        odd: list[tuple[int, bytes, bytes]] = []
        for name, value in other:
            verdict = self._judge(name)
            if verdict == _COOKIE:
                cookie = without_own(value)
                if cookie:
                    out.append((name, cookie))
            elif verdict == _HEARD:
                out.append((name, value))
            elif verdict != _DROP and value not in _SAYS_NOTHING:
                odd.append((verdict, name, value))
        host = peer[0] if peer else None
        if odd:
            out = self._with_odd(out, odd, host)
        else:
            out += self._chain(host, b"")
        out += block
        return out

    def _with_odd(self, out: HeaderList, odd: list[tuple[int, bytes, bytes]], host: str | None) -> HeaderList:
        """The rest of the work where a line needs a second thought."""
        if self._trusted.trusts(host):
            out += [(name, value) for verdict, name, value in odd if verdict == _FRONT]
            chain = self._chain(host, b",".join(value for verdict, _, value in odd if verdict == _FORWARDED_FOR))
        else:
            chain = self._chain(host, b"")
        named = _tokens(value for verdict, _, value in odd if verdict == _CONNECTION)
        if named:
            out = [line for line in out if line[0] not in named or line[0] in _NEVER_NAMED]
        out += chain
        if b"upgrade" in named and any(v == _UPGRADE and value.lower() == b"websocket" for v, _, value in odd):
            out += _WEBSOCKET
        return out

    def _judge(self, name: bytes) -> int:
        """What to do with a line of this name; each name is thought about once."""
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = self._thought(name)
            if len(name) <= _MEMO_NAME_BYTES:
                self._remember(name, verdict)
        return verdict

    def _remember(self, name: bytes, verdict: int) -> None:
        if len(self._verdicts) >= _MEMO_ENTRIES:
            self._verdicts.clear()
            self._plain.clear()
        self._verdicts[name] = verdict
        if verdict == _KEEP:
            self._plain.add(name)

    def _thought(self, name: bytes) -> int:
        folded = fold(name)
        if folded in self._owned or folded.startswith(_OWNED_PREFIXES):
            return _DROP
        special = _SPECIAL.get(name.lower())
        # A special name in another spelling is nobody's honest header: `x_forwarded_proto` is only good for deceiving.
        return _DROP if special is None and folded in _SPECIAL else special or _KEEP

    def _chain(self, host: str | None, forwarded_for: bytes) -> HeaderList:
        """What the gateway says about the way that the request took."""
        key = (host, forwarded_for)
        known = self._chains.get(key)
        if known is not None:
            return known
        lines = self._place.lines(self._trusted.hops(host, [forwarded_for.decode("latin-1")]))
        if len(forwarded_for) <= _MEMO_CHAIN_BYTES:
            if len(self._chains) >= _MEMO_ENTRIES:
                self._chains.clear()
            self._chains[key] = lines
        return lines


def end_to_end(headers: HeaderList) -> HeaderList:
    """The lines without those of one hop (RFC 9110 §7.6.1), those that Connection names included. Always a new list."""
    dropped = _HOP_BY_HOP
    connection = [value for name, value in headers if name.lower() == b"connection" and value not in _SAYS_NOTHING]
    if connection:
        dropped |= _tokens(connection) - _NEVER_NAMED
    return [line for line in headers if line[0].lower() not in dropped]


def _tokens(values: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(token.strip(b" \t").lower() for value in values for token in value.split(b","))


class _Place:
    """Where browsers see the gateway, as header lines and as the parameters of Forwarded."""

    def __init__(self, public_url: str) -> None:
        parts = urlsplit(public_url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"public_url {public_url!r} is not an http or https address")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        authority = host if port == _DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
        self._parameters = f";host={_quoted(authority)};proto={parts.scheme}"
        self._lines = [
            (b"x-forwarded-proto", parts.scheme.encode("ascii")),
            (b"x-forwarded-host", authority.encode("ascii")),
            (b"x-forwarded-port", str(port).encode("ascii")),
        ]

    def lines(self, hops: list[str]) -> HeaderList:
        """`hops`: the client, then the proxies that it came through; empty when nobody knows."""
        first, *rest = [f"for={_quoted(_node(hop))}" for hop in hops or ["unknown"]]
        forwarded = ", ".join([first + self._parameters, *rest])
        chain = [(b"x-forwarded-for", ", ".join(hops).encode("ascii"))] if hops else []
        return [*chain, *self._lines, (b"forwarded", forwarded.encode("ascii"))]


def _node(hop: str) -> str:
    return f"[{hop}]" if ":" in hop else hop  # RFC 7239 §6


def _quoted(text: str) -> str:
    return f'"{text}"' if ":" in text else text  # RFC 7239 §4: a token has no colon
