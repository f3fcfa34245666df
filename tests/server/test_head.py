"""The judgement of a request's head, without a connection."""

import pytest

from gateway.server.head import Refused, check_coding, check_host, check_lookalike, split_target


@pytest.mark.parametrize(
    "host",
    [
        b"a",
        b"app.example.com",
        b"app.example.com:8443",
        b"127.0.0.1:80",
        b"[::1]",
        b"[2001:db8::1]:443",
        b"my_service:80",
        b"a:0",
        b"a:65535",
        b"[::ffff:192.0.2.1]:8080",
        b"[::]",
    ],
)
def test_hosts_that_are_names_or_addresses_pass(host):
    """F4: a name, an address, with or without a port."""
    assert check_host(host) == host


@pytest.mark.parametrize("host", [b"a", b"app.example.com", b"127.0.0.1", b"[::1]"])
def test_an_empty_port_is_no_port(host):
    """F4: RFC 3986 §6.2.3: `Host: a:` means `Host: a`, and every later reader sees that."""
    assert check_host(host + b":") == host


@pytest.mark.parametrize(
    "host",
    [
        *[
            b"",
            b" ",
            b"a b",
            b"a,b",
            b"u@h",
            b"a/b",
            b"a\\b",
            b"a:b",
            b"a:80:80",
            b"::1",
            b"[::1",
            b"[x]",
            b"a#b",
        ],
        *[
            b"a?b",
            b"a%00",
            b"\xc3\xa4",
            b".",
            b"-a",
            b"a:123456",
            b"a:65536",
            b"a:99999",
            b"[::1]:99999",
            b"[1.2.3.4]",
            b"[:::]",
            b"[1:2]",
            b"[::1::]",
            b"[12345::]",
            b"[::1]x",
            b"[::g]",
            b"a::",
            b"[::1]::",
            b"a" * 256 + b":65535",
            b"a" * 300,
            b"http://a",
        ],
    ],
)
def test_other_hosts_are_refused(host):
    """F4: userinfo, lists, paths, over-long names, raw bytes and broken addresses."""
    with pytest.raises(Refused) as caught:
        check_host(host)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/", (b"/", b"")),
        (b"/a?b=c?d", (b"/a", b"b=c?d")),
        (b"//evil/x", (b"//evil/x", b"")),
        (b"/%2e%2e/;x", (b"/%2e%2e/;x", b"")),
        (b"http://h/a?b", (b"/a", b"b")),
        (b"HTTP://H", (b"/", b"")),
        (b"https://h?x", (b"/", b"x")),
    ],
)
def test_targets_are_split_as_they_came(target, expected):
    """F3: origin-form byte for byte; absolute-form of the same host loses scheme and authority."""
    assert split_target("GET", target, b"h") == expected


@pytest.mark.parametrize(
    "target",
    [
        b"/a#b",
        b"#",
        b"/%23#",
        b"http://other/a",
        b"http://h:80/a",
        b"http://u@h/a",
        b"ftp://h/a",
        b"http:///a",
        b"*",
        b"h:1",
        b"",
    ],
)
def test_targets_with_two_readings_are_refused(target):
    """E3, F3: a fragment, an authority that is not the Host's, an asterisk without OPTIONS."""
    with pytest.raises(Refused):
        split_target("GET", target, b"h")


@pytest.mark.parametrize("target", [b"http://h", b"https://H"])
def test_options_for_a_whole_server_become_the_asterisk(target):
    """RFC 9112 §3.2.4: the absolute form without path and query."""
    assert split_target("OPTIONS", target, b"h") == (b"*", b"")
    assert split_target("OPTIONS", target + b"/", b"h") == (b"/", b"")
    assert split_target("OPTIONS", target + b"?", b"h") == (b"/", b"")


def test_the_asterisk_is_for_options():
    """F3: `OPTIONS *` asks about the server itself."""
    assert split_target("OPTIONS", b"*", b"h") == (b"*", b"")


@pytest.mark.parametrize(
    "name", [b"content_length", b"transfer_encoding", b"transfer.encoding", b"transfer---encoding", b"_content-length"]
)
def test_names_that_fold_into_framing_are_refused(name):
    """F1: an upstream that folds `_` would frame the body by another header than we did."""
    with pytest.raises(Refused):
        check_lookalike(name)


@pytest.mark.parametrize("name", [b"content-length", b"transfer-encoding", b"content-type", b"x-content-length", b"te"])
def test_other_names_pass(name):
    """F1: only look-alikes are refused."""
    check_lookalike(name)


@pytest.mark.parametrize(
    ("values", "version"),
    [
        *[
            ([value], "1.1")
            for value in (b"gzip, chunked", b"chunked, chunked", b",chunked", b"identity", b"xchunked", b"")
        ],
        ([b"chunked", b"chunked"], "1.1"),
        ([b"chunked"], "1.0"),
    ],
)
def test_codings_other_than_one_chunked_are_refused(values, version):
    """F1: one `chunked` in HTTP/1.1, nothing else."""
    with pytest.raises(Refused):
        check_coding(values, version)


def test_chunked_may_have_space_around_it():
    """RFC 9110 §5.5: white space around a value is not part of it; codings know no case."""
    check_coding([b"Chunked \t"], "1.1")
