"""Key sets: what is read from them, which key is picked, when a newer set is fetched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.jwks import MAX_KEYS, Fetch, KeySet, fetch_decision, parse_key_set
from gateway.errors import BadData
from tests.support.tokens import encode, jwk, jwks, kid_of, private_key


def read(*entries: object) -> KeySet:
    return parse_key_set(json.dumps({"keys": list(entries)}).encode())


def test_each_key_is_found_by_its_kid():
    """Cognito's two keys are both read; their ids are standard base64 and are taken as they are."""
    keys = parse_key_set(jwks("id", "access"))
    for name in ("id", "access"):
        (found,) = keys.candidates(kid_of(name))
        assert found.public_numbers() == private_key(name).public_key().public_numbers()
    assert keys.candidates("another") == ()


def test_a_token_without_kid_is_served_by_an_only_key():
    """A `kid` may be left out where there is one key (OpenID Connect Core §10.1), and only there."""
    assert len(parse_key_set(jwks("id")).candidates(None)) == 1
    assert parse_key_set(jwks("id", "access")).candidates(None) == ()
    nameless = {name: value for name, value in jwk("id").items() if name != "kid"}
    assert len(read(nameless).candidates(None)) == 1
    assert read(nameless).candidates("any") == ()


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"kty": ["RSA"]},
        {"use": "enc"},
        {"use": []},
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"alg": {}},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"kid": 7},
        {"kid": ["x"]},
        {"n": None},
        {"n": "not base64!"},
        {"n": "A"},
        {"n": encode((2**1023 + 1).to_bytes(128, "big"))},
        {"n": encode((2**8192 + 1).to_bytes(1025, "big"))},
        {"e": encode(b"\x01")},
        {"e": encode(b"\x01\x00\x00")},
        {"e": encode((2**64 + 1).to_bytes(9, "big"))},
        {"e": ""},
    ],
)
def test_a_key_that_is_not_for_rs256_is_passed_over(change):
    """One strange key neither breaks the set nor is used: other kinds, uses, sizes and exponents are passed over."""
    odd = {**jwk("access"), **change}
    keys = read(odd, jwk("id"))
    assert list(keys.keys) == [kid_of("id")]
    with pytest.raises(BadData):
        read(odd)


def test_an_entry_that_is_no_object_is_passed_over():
    """Rubbish beside a good key does no harm."""
    assert list(read("rubbish", None, [], jwk("id")).keys) == [kid_of("id")]


def test_what_a_key_may_leave_out_or_add():
    """`use`, `alg` and `key_ops` are optional, padding is tolerated, and the private half of a key is never taken."""
    bare = {name: value for name, value in jwk("id").items() if name in {"kty", "n", "e"}}
    padded = {**jwk("access"), "e": jwk("access")["e"] + "==", "key_ops": ["verify"], "d": "AQAB", "p": "AQ"}
    assert set(read(bare, padded).keys) == {None, kid_of("access")}


@pytest.mark.parametrize("kid", ["one", None])
def test_keys_with_one_kid_are_all_tried(kid):
    """W3: a rotation that keeps its `kid`, or has none, publishes the new key beside the old one."""
    names = ["id", "access", "id-2", "access-2", "access-3"]
    entries = [{name: value for name, value in {**jwk(key), "kid": kid}.items() if value} for key in names]
    found = read(*entries).candidates(kid)
    assert [key.public_numbers() for key in found] == [
        private_key(name).public_key().public_numbers() for name in names[:4]
    ]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', json.dumps({"keys": [{}] * (MAX_KEYS + 1)}).encode()]
)
def test_a_set_without_usable_keys_is_bad_data(data):
    """An empty, overlong or unreadable set is no set: whoever fetched it keeps the old one."""
    with pytest.raises(BadData):
        parse_key_set(data)


@pytest.mark.parametrize(
    ("age", "known", "since_attempt", "decision"),
    [
        (None, False, None, Fetch.FIRST),
        (None, False, 0, Fetch.NO),
        (None, False, 0.9, Fetch.NO),
        (None, False, 1, Fetch.FIRST),
        (5, False, 5, Fetch.NO),
        (9.9, False, 9.9, Fetch.NO),
        (10, False, 10, Fetch.FIRST),
        (50_000, False, 3, Fetch.NO),
        (50_000, False, 10, Fetch.FIRST),
        (5, True, 5, Fetch.NO),
        (3599, True, 3599, Fetch.NO),
        (3600, True, 3600, Fetch.BEHIND),
        (3600, True, 9, Fetch.NO),
        (50_000, True, 10, Fetch.BEHIND),
        (-5, True, -5, Fetch.BEHIND),
        (5, False, -5, Fetch.FIRST),
        (5, False, None, Fetch.FIRST),
    ],
)
def test_when_to_fetch(age, known, since_attempt, decision):
    """D7, Q10: the whole table, with its boundaries and a clock that was set back."""
    assert fetch_decision(age=age, known=known, since_attempt=since_attempt) is decision


@pytest.mark.property
@given(st.lists(st.floats(0, 5), max_size=200))
def test_unknown_kids_never_fetch_twice_in_ten_seconds(pauses):
    """Q10: however the unknown ids are spread in time, two fetches are ten seconds apart."""
    clock, fetched = 0.0, [0.0]
    for pause in pauses:
        clock += pause
        since = clock - fetched[-1]
        if fetch_decision(age=since, known=False, since_attempt=since) is not Fetch.NO:
            assert since >= 10
            fetched.append(clock)
