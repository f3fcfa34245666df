"""Packing: sessions come back exactly, are small, and what is not a packed session is refused."""

import json
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import packing
from gateway.core.packing import DICTIONARY, MAX_TEXT, pack_parts, unpack_parts
from gateway.core.seal import decode
from gateway.core.session import (
    MAX_INTEGER,
    TokenSet,
    groups_in,
    keep_claims,
    new_session_id,
    pack,
    subject_of_access_token,
    unpack,
)
from gateway.errors import BadData
from tests.support.sessions import (
    COOKIE,
    SUB,
    access_claims,
    b64,
    cognito_tokens,
    id_claims,
    jwt,
    ring,
    session,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TOKENS = st.one_of(
    st.none(),
    st.text(max_size=50),
    st.text("ABab01-_.={", max_size=40),
    st.lists(st.binary(max_size=40), max_size=10).map(lambda parts: ".".join(map(b64, parts))),
    st.lists(JSON.map(lambda value: b64(json.dumps(value).encode())), max_size=9).map(".".join),
)
TIMES = st.integers(0, MAX_INTEGER)


@st.composite
def some_sessions(draw):
    return session(
        version=draw(st.integers(1, MAX_INTEGER)),
        created_at=draw(TIMES),
        expires_at=draw(TIMES),
        access_expires_at=draw(TIMES),
        refresh_at=draw(st.none() | TIMES),
        claims={**draw(st.dictionaries(st.text(), JSON, max_size=4)), "sub": draw(st.text(min_size=1))},
        groups=tuple(draw(st.lists(st.text(min_size=1), max_size=4))),
        tokens=TokenSet(id_token=draw(TOKENS), access_token=draw(TOKENS), refresh_token=draw(TOKENS)),
    )


@pytest.mark.property
@given(some_sessions())
def test_unpack_undoes_pack(any_session):
    """Whatever the claims and tokens are, a session comes back equal: tokens byte for byte."""
    assert unpack(pack(any_session)) == any_session


@pytest.mark.property
@given(st.binary(max_size=300))
def test_bytes_that_pack_did_not_write_are_refused(data):
    """C5: no bytes crash the reader."""
    with pytest.raises(BadData):
        unpack(data)


@pytest.mark.property
@given(st.data())
def test_changed_bytes_never_crash(data):
    """C5: a packed session with changed bytes is another session or bad data, nothing else."""
    packed = bytearray(pack(session()))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpack(bytes(packed))
    except BadData:
        return


def test_a_cut_or_lengthened_session_is_refused():
    """Every prefix of a packed session, and one with something after it, is bad data."""
    packed = pack(session(tokens=cognito_tokens()))
    for end in range(len(packed)):
        with pytest.raises(BadData):
            unpack(packed[:end])
    with pytest.raises(BadData):
        unpack(packed + b"\0")


def test_cognito_sized_tokens_make_one_cookie():
    """ID, access and refresh token of 1.7, 1.1 and 1.9 KB, with all claims: at most 4,096 bytes of name and value."""
    tokens = cognito_tokens()
    texts = (tokens.id_token, tokens.access_token, tokens.refresh_token)
    assert [round(len(text or "") / 1000, 1) for text in texts] == [1.7, 1.1, 1.9]
    value = ring().box("session").seal(pack(session(tokens=tokens, claims=id_claims())))
    assert len(COOKIE.name) + len(value) <= 3500 < 4096


def test_a_token_with_too_many_segments_is_kept_as_text():
    """Nine segments are no token's form; the text comes back all the same."""
    token = ".".join("QUJD" for _ in range(9))
    assert unpack(pack(session(tokens=TokenSet(id_token=token)))).tokens.id_token == token


@pytest.mark.parametrize("size", [0, 1, 0x7FFF, 0x8000, 0x8001, 60_000])
def test_lengths_of_every_form_come_back(size):
    """Short and long lengths, and those at the edge between them, are read as written."""
    text = "a-" * (size // 2) + "!" * (size % 2)
    assert unpack_parts(pack_parts(b"{}", ["*" + text]), 1) == (b"{}", ["*" + text])


@pytest.mark.parametrize("extra", [-1, 0])
def test_the_largest_text_comes_back(extra):
    """Exactly the limit fits."""
    document = b"x" * (MAX_TEXT - 3 + extra)
    assert unpack_parts(pack_parts(document, []), 0) == (document, [])


@pytest.mark.parametrize(("document", "token"), [(b"x" * MAX_TEXT, None), (b"", "*" * (MAX_TEXT + 1))])
def test_too_large_a_session_is_refused_when_packing(document, token):
    """C9: what could not be opened again is not sealed."""
    with pytest.raises(BadData, match=r"^the session is too large$"):
        pack_parts(document, [token])


def _deflated(text: bytes, *, zdict: bytes = DICTIONARY) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=zdict)
    squeezed = squeeze.compress(text) + squeeze.flush()
    return bytes([packing.FORMAT]) + len(squeezed).to_bytes(3, "big") + squeezed


def test_a_decompression_bomb_is_refused_in_bounded_memory():
    """C9: 8 MB in 8 KB, well formed in all else, is refused after 256 KiB."""
    document = json.dumps(GOOD).encode().ljust(0x7FFFF0)
    bomb = _deflated((0x800000 | len(document)).to_bytes(3, "big") + document + b"\x00\x00\x00")
    assert len(bomb) < 9000
    tracemalloc.start()
    with pytest.raises(BadData, match=r"^deflated text too long"):
        unpack(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MAX_TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02" + pack(session())[1:],
        b"\x01\x00\x00\x04rubb",
        _deflated(b"\x00\x02[]" + b"\x09"),
        _deflated(b"\x00\x02[]" + b"\xff\x00\x02") + b"\xff\xfe",
        _deflated(b"\x00\x02[]" + b"\x00\x00\x00"),
        _deflated(b"\x00\x01[" + b"\x00\x00\x00"),
        _deflated(b"\x00\x01\xff" + b"\x00\x00\x00"),
        _deflated((0x80FFFF).to_bytes(3, "big") + b"[" * 0xFFF0),
        _deflated((0x80FFF0).to_bytes(3, "big") + b"[" * 0xFFF0 + b"\x00\x00\x00"),
        b"\x01\x00\x00\x02\x03\x00\x00",
    ],
    ids=["empty", "format", "zlib", "segments", "utf-8", "short", "json", "encoding", "cut", "nested", "after"],
)
def test_malformed_packings_are_bad_data(data):
    """C5: each way in which a packing may be malformed is refused."""
    with pytest.raises(BadData):
        unpack(data)


GOOD: list[object] = ["AAAAAAAAAAAAAAAAAAAAAA", 1, 2, 3, 4, 5, ["a"], {"sub": "s"}]
WRONG: dict[int, list[object]] = {
    0: ["", None, 1, "A" * 21, "A" * 23, "A" * 21 + "B", "A" * 21 + "="],
    1: [0, -1, 1.0, True, "1", None, 2**53],
    2: [-1, 1.5, None, 2**53, True],
    3: [1e300, "3", None],
    4: [float("inf"), None, [], 2**70],
    5: [-1, 5.0, "5", False],
    6: [None, "a", [1], [""], {}],
    7: [None, [], {}, {"sub": ""}, {"sub": 1}, {"name": "x"}],
}


def _packed(document: object) -> bytes:
    return pack_parts(json.dumps(document).encode(), [None, None, None])


def test_a_good_document_is_a_session():
    """The document that the next test spoils is a session, also without a time to refresh."""
    assert unpack(_packed(GOOD)).groups == ("a",)
    assert unpack(_packed([*GOOD[:5], None, *GOOD[6:]])).refresh_at is None


@pytest.mark.parametrize(("at", "value"), [(at, value) for at, values in WRONG.items() for value in values])
def test_every_field_is_checked(at, value):
    """C18: times are whole numbers up to 2^53 - 1: no float, no truth value, nothing negative."""
    with pytest.raises(BadData):
        unpack(_packed([*GOOD[:at], value, *GOOD[at + 1 :]]))


@pytest.mark.parametrize("document", [GOOD[:7], [*GOOD, 1], {}, "text", None])
def test_another_document_is_no_session(document):
    """A document of another form or length is refused."""
    with pytest.raises(BadData):
        unpack(_packed(document))


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {"sub": "s", "x": float("inf")}},
        {"claims": {"sub": "s", "x": object()}},
        {"claims": {}},
        {"access_expires_at": 1e300},
        {"access_expires_at": 10**300},
        {"id": "short"},
        {"groups": ("",)},
    ],
)
def test_what_would_not_be_read_is_not_written(changes):
    """C18: a session that `unpack` would refuse is refused by `pack`, with bad data."""
    with pytest.raises(BadData):
        pack(session(**changes))


def test_nesting_beyond_reason_is_bad_data():
    """A claim nested a hundred thousand deep is refused, not a crash."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(BadData):
        pack(session(claims={"sub": "s", "deep": deep}))


def test_times_beyond_2038_are_kept():
    """C18: seconds do not end in 2038."""
    late = session(expires_at=2**33, access_expires_at=2**34, refresh_at=2**35)
    assert unpack(pack(late)) == late


def test_session_ids_do_not_repeat():
    """C14: 10,000 ids are as many, each of 16 bytes."""
    ids = {new_session_id() for _ in range(10_000)}
    assert len(ids) == 10_000
    assert {len(decode(one)) for one in ids} == {16}


def test_nothing_secret_prints():
    """H4: the representation of a session shows no token, no claim and no group."""
    shown = repr(session(tokens=cognito_tokens()))
    for hidden in ("eyJ", "ada.lovelace", "admins", SUB):
        assert hidden not in shown


@pytest.mark.parametrize(
    ("found", "groups"),
    [
        (["a", "b"], ("a", "b")),
        ("a", ("a",)),
        ([], ()),
        (["", "a", None, 1, ["b"]], ("a",)),
        ("", ()),
        (None, ()),
        ({"a": 1}, ()),
        (7, ()),
        ("[a, b]", ("a", "b")),
        ("[a]", ("a",)),
        ("[]", ()),
        ("[a b, CN=c,OU=d, e]", ("a b", "CN=c,OU=d", "e")),
        ("[, a]", ("a",)),
        ('["a", "b, c"]', ("a", "b, c")),
        ('["a", 1]', ('"a"', "1")),
        ('["a"', ('["a"',)),
        ("[" * 100_000 + "]", ("[" * 99_999,)),
        ('["' + "[" * 100_000 + "]", ('"' + "[" * 100_000,)),
        ("[a", ("[a",)),
        ("a]", ("a]",)),
        ("a, b", ("a, b",)),
        (["[a, b]"], ("[a, b]",)),
    ],
)
def test_groups_are_texts_that_are_not_empty(found, groups):
    """oauth2-proxy #3365: the empty text is no group; what is no text is none either. A list may be written as a text:
    as Cognito does for SAML users, `[a, b]`, or as JSON; any other text is one group, whatever is in it."""
    assert groups_in({"cognito:groups": found}, "cognito:groups") == groups


def test_no_claim_no_groups():
    """Cognito leaves the claim out for somebody in no group; another claim may be configured."""
    assert groups_in({"sub": "s"}, "cognito:groups") == ()
    assert groups_in({"roles": ["a"]}, "roles") == ("a",)


KEYCLOAK = {
    "realm_access": {"roles": ["admin"]},
    "resource_access": {"my.app": {"roles": ["editor"]}, "my": {"app": 7}},
    "https://example.com/roles": ["x"],
    "a.b": ["literal"],
    "a": {"b": ["nested"], "null": None},
}


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        ("realm_access.roles", ("admin",)),
        ("resource_access.my.app.roles", ("editor",)),
        ("https://example.com/roles", ("x",)),
        ("a.b", ("literal",)),
        ("a.null", ()),
        ("realm_access", ()),
        ("realm_access.roles.admin", ()),
        ("realm_access.", ()),
        (".roles", ()),
        ("nothing.at.all", ()),
    ],
)
def test_groups_may_be_inside_an_object(claim, groups):
    """`realm_access.roles` (Keycloak): a claim of that very name comes first, then each dot may lead into an object."""
    assert groups_in(KEYCLOAK, claim) == groups


def test_only_claims_that_are_needed_are_kept():
    """What nothing names is dropped; the subject stays; None keeps all."""
    claims = {"sub": "s", "email": "e", "name": "n"}
    assert keep_claims(claims, frozenset({"email", "absent"})) == {"sub": "s", "email": "e"}
    assert keep_claims(claims, frozenset()) == {"sub": "s"}
    assert keep_claims(claims, None) == claims


@pytest.mark.parametrize(
    ("token", "subject"),
    [
        (jwt(access_claims("somebody")), "somebody"),
        (jwt({"sub": "elsewhere"}), None),
        (jwt({"token_use": "access"}), "None"),
        (None, None),
        ("", None),
        ("opaque", None),
        ("a.*.c", None),
        ("a." + b64(b"[1]") + ".c", None),
        ("a." + b64(b"\xff") + ".c", None),
        ("a." + b64(b"[" * 200_000) + ".c", None),
    ],
)
def test_the_subject_of_a_cognito_access_token_is_read(token, subject):
    """C16: a Cognito access token says whose it is; of any other token nothing is concluded, and none crashes."""
    assert subject_of_access_token(token) == subject


def test_the_session_knows_its_subject():
    """`sub` is the claim."""
    assert replace(session(), claims={"sub": "me"}).sub == "me"
