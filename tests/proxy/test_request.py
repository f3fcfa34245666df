"""The head of a request, written from an ASGI scope's values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadData
from gateway.proxy.request import CHUNKED, write_request

HOST = (b"host", b"app.test")


def test_the_usual_request():
    """Lines in their order, Host among them, and nothing of our own."""
    request = write_request("GET", b"/a?b", [HOST, (b"x", b"1"), (b"x", b"2")])
    assert request.head == b"GET /a?b HTTP/1.1\r\nhost: app.test\r\nx: 1\r\nx: 2\r\n\r\n"
    assert (request.length, request.expects, request.replayable) == (0, False, True)


def test_a_request_without_host_gets_one():
    """HTTP/1.0 clients may leave it out; HTTP/1.1 may not (RFC 9112 §3.2)."""
    assert write_request("GET", b"/", []).head == b"GET / HTTP/1.1\r\nhost: \r\n\r\n"


def test_the_host_is_replaced_by_policy():
    """One Host line, the given one."""
    assert write_request("GET", b"/", [HOST], b"up:1").head == b"GET / HTTP/1.1\r\nhost: up:1\r\n\r\n"


def test_transfer_encoding_outranks_content_length():
    """Only one statement of length is written (RFC 9112 §6.3)."""
    request = write_request("POST", b"/", [HOST, (b"content-length", b"3"), (b"transfer-encoding", b"chunked")])
    assert request.length == CHUNKED
    assert request.head == b"POST / HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked\r\n\r\n"


def test_connection_cannot_name_the_host_or_the_length():
    """A1: what a client lists as hop-by-hop does not take away what the message needs."""
    headers = [HOST, (b"connection", b"host, content-length, x"), (b"content-length", b"2"), (b"x", b"1")]
    request = write_request("POST", b"/", headers)
    assert request.head == b"POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 2\r\n\r\n"


@pytest.mark.parametrize("value", [b"+1", b"0x1", b"1_0", b"", b"-1", b"1,1"])
def test_odd_lengths_are_refused(value):
    """F1: a length is digits."""
    with pytest.raises(BadData):
        write_request("POST", b"/", [HOST, (b"content-length", value)])


def test_contradictory_lengths_are_refused():
    """F1: two lengths, two meanings."""
    with pytest.raises(BadData):
        write_request("POST", b"/", [HOST, (b"content-length", b"1"), (b"content-length", b"2")])


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "GET /x HTTP/1.1\r\nA:", "", "GÉT"])
def test_odd_methods_are_refused(method):
    """F2: no tunnels, no echoes, and a method is one token."""
    with pytest.raises(BadData):
        write_request(method, b"/", [HOST])


def test_methods_of_others_travel():
    """WebDAV and whatever comes."""
    assert write_request("PROPFIND", b"/", [HOST]).head.startswith(b"PROPFIND / HTTP/1.1\r\n")


@pytest.mark.property
@given(st.binary(max_size=30), st.binary(min_size=1, max_size=30))
def test_one_message_stays_one_message(value, target):
    """A20, F6: whatever a value or target holds, the head has as many lines as it was given, or is refused."""
    try:
        head = write_request("GET", target, [HOST, (b"x", value)]).head
    except BadData:
        return
    assert len(head.split(b"\n")) == 5
    assert head.count(b"\r") == 4
    assert head.split(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


def test_the_expectation_of_an_old_client_ends_here():
    """T6: HTTP/1.0 knows none (RFC 9110 §10.1.1): the body is sent at once."""
    headers = [HOST, (b"content-length", b"2"), (b"expect", b"100-continue")]
    request = write_request("POST", b"/", headers, version="1.0")
    assert (request.length, request.expects, b"expect" in request.head) == (2, False, False)
