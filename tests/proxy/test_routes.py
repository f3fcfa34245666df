"""Which upstream serves a request, and which path is sent there."""

import pytest

from gateway.errors import BadPath, NoUpstream
from gateway.proxy.options import UpstreamOptions
from gateway.proxy.routes import Routes


def routes(**entries):
    """Named entries of options, each serving its own name."""
    return Routes([(UpstreamOptions(servers=("http://x:1",), **options), name) for name, options in entries.items()])


def find(table, path: bytes, host: bytes = b"app.test"):
    return table.find({"raw_path": path, "headers": [(b"host", host)]})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/", "root"),
        (b"/apiary", "root"),
        (b"/api", "api"),
        (b"/api/", "api"),
        (b"/api/v1", "api"),
        (b"/api/v2", "v2"),
        (b"/api/v2/x", "v2"),
        (b"/%61pi", "root"),
        (b"/API", "root"),
        (b"*", "root"),
    ],
)
def test_the_longest_prefix_wins(path, name):
    """At a segment's end, byte for byte."""
    table = routes(root={}, api={"prefix": "/api"}, v2={"prefix": "/api/v2/"})
    assert find(table, path) == (name, path)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"a.test", "a"),
        (b"A.TEST:8443", "a"),
        (b"a.test.", "a"),
        (b"b.test", "any"),
        (b"aa.test", "any"),
        (b"[::1]:80", "six"),
        (b"", "any"),
    ],
)
def test_the_host_comes_first(host, name):
    """E4: case, port and the root's dot do not matter; an entry for the host beats one for all."""
    table = routes(any={}, a={"hosts": frozenset(["a.test"])}, six={"hosts": frozenset(["[::1]"])})
    assert find(table, b"/", host)[0] == name


def test_nothing_configured_is_404():
    """No upstream is ever guessed."""
    with pytest.raises(NoUpstream):
        find(routes(api={"prefix": "/api"}), b"/other")


@pytest.mark.parametrize(
    ("options", "path", "sent"),
    [
        ({"strip_prefix": True}, b"/api/x", b"/x"),
        ({"strip_prefix": True}, b"/api", b"/"),
        ({"strip_prefix": True}, b"/api/", b"/"),
        ({"strip_prefix": True}, b"/api/a%2Fb", b"/a%2Fb"),
        ({"rewrite": "/v2/"}, b"/api/x", b"/v2/x"),
        ({"rewrite": "/v2"}, b"/api", b"/v2"),
        ({"rewrite": "/"}, b"/api/x", b"/x"),
        ({}, b"/api/../x", b"/api/../x"),
    ],
)
def test_the_prefix_is_replaced(options, path, sent):
    """`strip_prefix` removes it, `rewrite` puts another in its place, without both nothing changes."""
    assert find(routes(api={"prefix": "/api", **options}), path) == ("api", sent)


@pytest.mark.parametrize(
    "path",
    [
        b"/api/../x",
        b"/api/%2e%2e/x",
        b"/api/%252e%252e/x",
        b"/api/a/..%2fx",
        b"/api/..;a=b/x",
        b"/api/.%5c..%5cx",
        b"/api/..",
    ],
)
def test_a_rewritten_path_cannot_climb(path):
    """E5: the rules judged the path as it came; cut, it would mean another one to the upstream."""
    with pytest.raises(BadPath):
        find(routes(api={"prefix": "/api", "strip_prefix": True}), path)


def test_a_server_without_raw_path_still_works():
    """ASGI makes `raw_path` optional."""
    table = routes(root={})
    assert table.find({"path": "/ä b", "headers": []}) == ("root", b"/%C3%A4%20b")
