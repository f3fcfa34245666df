"""Choose the upstream of a request by host and path prefix, and the path that is sent there."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote, unquote_to_bytes

from gateway.core.asgi import HeaderList, Scope
from gateway.errors import BadPath, NoUpstream
from gateway.proxy.options import UpstreamOptions

T = TypeVar("T")


class Route(NamedTuple, Generic[T]):
    """One entry. `replacement` is None where the path travels as it is."""

    prefix: bytes
    hosts: frozenset[bytes]
    replacement: bytes | None
    target: T


class Routes(Generic[T]):
    """Those for the request's host come first, then the longest prefix, then the order of the settings."""

    def __init__(self, entries: Sequence[tuple[UpstreamOptions, T]]) -> None:
        routes = [_route(options, target) for options, target in entries]
        self._routes = sorted(routes, key=lambda route: (not route.hosts, -len(route.prefix)))
        self._any = routes[0] if len(routes) == 1 and routes[0][:3] == (b"", frozenset(), None) else None

    def find(self, scope: Scope) -> tuple[T, bytes]:
        """(what serves it, the path to send there, as bytes without the query). Raises NoUpstream, BadPath."""
        path: bytes = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
        route = self._any or self._match(path, scope["headers"])
        return route.target, path if route.replacement is None else _replaced(route, path)

    def _match(self, path: bytes, headers: HeaderList) -> Route[T]:
        host = _host(headers)
        for route in self._routes:
            if (not route.hosts or host in route.hosts) and _under(route.prefix, path):
                return route
        raise NoUpstream("no upstream for this host and path")


def _route(options: UpstreamOptions, target: T) -> Route[T]:
    replacement = options.rewrite if options.rewrite is not None else "" if options.strip_prefix else None
    return Route(
        options.prefix.rstrip("/").encode("ascii"),
        frozenset(host.lower().encode("ascii") for host in options.hosts),
        None if replacement is None else replacement.rstrip("/").encode("ascii"),
        target,
    )


def _host(headers: HeaderList) -> bytes:
    """Without port, in lower case (E4); an IPv6 literal keeps its brackets."""
    value = next((value for name, value in headers if name == b"host"), b"").lower()
    name, colon, port = value.rpartition(b":")
    return (name if colon and (port.isdigit() or not port) else value).rstrip(b".")


def _under(prefix: bytes, path: bytes) -> bool:
    """At a segment's end: `/api` is not a prefix of `/apiary`. `OPTIONS *` is under every `/`."""
    if not prefix:
        return True
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in (b"", b"/")


def _replaced(route: Route[T], path: bytes) -> bytes:
    """The path with another prefix. Raises BadPath for dot segments, which would climb out of it.

    The rules judged `/api/../x`; the upstream would resolve `/../x` or `/v2/../x`, which nobody judged (E5,
    CVE-2026-40912). Encodings, backslashes and `;` parameters count as upstreams may read them.
    """
    if path == b"*":
        return path
    rest = path[len(route.prefix) :]
    read = unquote_to_bytes(unquote_to_bytes(rest)).replace(b"\\", b"/")
    if any(segment.partition(b";")[0] in (b".", b"..") for segment in read.split(b"/")):
        raise BadPath("dot segments in a path whose prefix is rewritten")
    assert route.replacement is not None
    return (route.replacement + rest) or b"/"
