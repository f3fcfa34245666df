"""JSON from outside: one meaning, or none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.documents import json_object
from gateway.errors import BadData


def test_an_object_is_read():
    """What every reader understands alike is read."""
    assert json_object('{"a": [1, "ü"]}'.encode()) == {"a": [1, "ü"]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'"text"',
        b"null",
        b'{"a": 1',
        b'{"a": 1} x',
        b'{"a": 1, "a": 2}',
        b'{"deep": {"a": 1, "a": 2}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_object_or_ambiguous_is_bad_data(data):
    """E8: a repeated name, NaN, deep nesting, and all that is no JSON object are one kind of error."""
    with pytest.raises(BadData):
        json_object(data)


@pytest.mark.property
@given(st.binary(max_size=200))
def test_any_bytes_give_an_object_or_bad_data(data):
    """No input raises anything else."""
    with suppress(BadData):
        assert isinstance(json_object(data), dict)
