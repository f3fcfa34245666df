"""Answers read without a parser are what the parser would have made of them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import BadUpstreamAnswer
from gateway.proxy import plain
from gateway.proxy.parsing import AnswerParser
from gateway.proxy.plain import read_head

_NAMES = ["Content-Length", "content-length", "Server", "ETag", "Set-Cookie", "Connection", "Keep-Alive", "X-A", "TE"]
_NAMES += ["Transfer-Encoding", "Upgrade", "Date", "Trailer", "X_B", "Bad Name", "Content-Length ", "", "\xe9"]
_VALUES = ["0", "3", "5", "03", "+3", "3, 3", "", "x", "a b", "a\tb", "close", "keep-alive", "Keep-Alive", "chunked"]
_VALUES += ["a\x00b", "a\rb", "a\nb", "\xe9", "\x7f", "x ", " x", "\tx", "99999999999999999999", "keep-alive, X-A"]
_SEPARATORS = [": ", ":", ":  ", " : ", ":\t", "", "\r\n "]
_STATUSES = ["HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.0 200 OK", "HTTP/1.1 404 Not Found"]
_STATUSES += [
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 x",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 600 x",
    "HTTP/1.1  200 OK",
]

_line = st.tuples(st.sampled_from(_NAMES), st.sampled_from(_SEPARATORS), st.sampled_from(_VALUES)).map("".join)
_answer = st.tuples(
    st.sampled_from(_STATUSES), st.lists(_line, max_size=5), st.sampled_from(["", "abc", "abcde", "abcHTTP/1.1 200 OK"])
)


def parsed(data: bytes, *, plainly: bool) -> tuple[object, ...]:
    """What an exchange sees of the answer."""
    parser = AnswerParser(65_536)
    parser.expect("GET")
    parser._untouched = plainly
    try:
        parser.feed(data)
    except BadUpstreamAnswer:
        return ("bad",)
    return (parser.status, parser.headers, parser.length, parser.keep, parser.phase, b"".join(parser.chunks))


@pytest.mark.property
@given(_answer)
@example(("HTTP/1.1 200 OK", ["Content-Length: 3", "Connection: keep-alive", "Server: x"], "abc"))
@example(("HTTP/1.1 200 OK", ["Content-Length: 3", "Content-Length: 5"], "abc"))
@example(("HTTP/1.1 200 OK", ["Content-Length: 3", "Transfer-Encoding: chunked"], "abc"))
@example(("HTTP/1.1 200 OK", ["Content-Length: 3", "Connection: close"], "abc"))
@example(("HTTP/1.1 200 OK", ["Content-Length: 3"], "abcHTTP/1.1 200 OK"))
def test_the_short_way_and_the_parser_agree(answer):
    """Law (F8, G4): the short way may leave an answer to the parser, never see another one in it."""
    status, lines, body = answer
    data = "\r\n".join([status, *lines, "", body]).encode("latin-1")
    assert parsed(data, plainly=True) == parsed(data, plainly=False)


@pytest.mark.property
@given(st.binary(max_size=200).map(lambda noise: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + noise + b"\r\n\r\nx"))
def test_they_agree_on_noise(data):
    """Law: the same for bytes that are no header line at all."""
    assert parsed(data, plainly=True) == parsed(data, plainly=False)


def test_the_usual_answer_takes_the_short_way():
    """nginx's, twice: the second time every line is known already."""
    head = b'HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 3\r\nConnection: keep-alive\r\nETag: W/"a"'
    for _ in range(2):
        expected = [(b"server", b"nginx"), (b"content-length", b"3"), (b"etag", b'W/"a"')]
        assert read_head(head) == (200, expected, 3)


@pytest.mark.parametrize(
    "line", [b"Transfer-Encoding: chunked", b"Connection: close", b"Upgrade: h2c", b"Folded: a\r\n b", b"A:", b"A : b"]
)
def test_what_needs_judgement_is_left_to_the_parser(line):
    """F8: codings, options of the connection and odd spellings have one judge."""
    assert read_head(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + line) is None


def test_lines_known_are_bounded_and_hold_no_cookie():
    """An upstream with ever new lines fills no memory; a cookie stays nobody's but its owner's."""
    for number in range(3000):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Id: {number}\r\nSet-Cookie: a=secret"
        read_head(head.encode())
    assert len(plain._known) <= 2048
    assert not any(b"secret" in line for line in plain._known)
