"""Heads of answers: nothing that an application gives becomes a line, a length or a message of its own."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.server import answering
from gateway.server.answering import lines_of
from gateway.server.names import MAX_LEARNED

_text = st.binary(max_size=12)
_name = st.one_of(st.sampled_from([b"x-a", b"Content-Type", b"set-cookie", b"date", b"connection"]), _text)


@pytest.mark.property
@given(st.lists(st.tuples(_name, _text), max_size=6))
@example([(b"x-a", b"1\r\nset-cookie: a=b")])
@example([(b"x-a", b"1\n")])
@example([(b"x-a", b"\r")])
@example([(b"x-a\r\nx-b", b"1")])
def test_every_pair_is_one_line(headers):
    """F6: a head has as many lines as pairs were given, in their order, or there is none."""
    try:
        block, *_ = lines_of(headers)
    except RuntimeError:
        return
    assert block == b"".join(name.lower() + b": " + value + b"\r\n" for name, value in headers)
    assert block.count(b"\n") == block.count(b"\r") == len(headers)
    assert b"\0" not in block


def test_what_the_server_must_know_is_told():
    """The length, whether there is a date, and whether the connection ends, in any case and order."""
    assert lines_of([(b"Content-Length", b"5"), (b"Date", b"x")]) == (
        b"content-length: 5\r\ndate: x\r\n",
        5,
        True,
        False,
    )
    assert lines_of(iter([(b"connection", b"a, Close")])) == (b"connection: a, Close\r\n", None, False, True)
    assert lines_of([]) == (b"", None, False, False)


def test_framing_is_the_servers_own():
    """F1: an application's Transfer-Encoding is not passed on, whatever it says (ASGI: servers ignore it)."""
    assert lines_of([(b"Transfer-Encoding", b"gzip"), (b"x-a", b"1")]) == (b"x-a: 1\r\n", None, False, False)


@pytest.mark.parametrize("values", [(b"5", b"6"), (b"-1",), (b"1_0",), (b"",), (b"0x5",)])
def test_a_length_that_is_none_is_refused(values):
    """F1: `int` would take more than RFC 9110 §8.6 does, and two lengths are one too many."""
    with pytest.raises(RuntimeError):
        lines_of([(b"content-length", value) for value in values])


def test_names_learned_are_bounded():
    """An application that makes up names fills no memory."""
    for number in range(5000):
        lines_of([(b"x-made-up-%d" % number, b"1")])
    assert len(answering._ORDINARY) <= MAX_LEARNED
