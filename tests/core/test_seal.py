"""Sealing: what opens, what does not, and that every refusal looks the same."""

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.seal import KeyRing, decode, encode, frame
from gateway.core.secret import Secret
from gateway.errors import BadSeal
from tests.support.sessions import ring

PURPOSES = ("session", "idle", "state", "binding", "return", "csrf")


@pytest.mark.property
@given(st.binary(min_size=1, max_size=5000))
def test_open_undoes_seal(plain):
    """What is sealed opens to the same bytes."""
    box = ring().box("session", "name", "issuer")
    assert box.open(box.seal(plain)) == plain


@pytest.mark.property
@given(st.binary(min_size=1, max_size=200), st.data())
def test_no_other_spelling_of_a_sealed_value_opens(plain, data):
    """C1, C13: a value with any one character changed, added or taken away does not open."""
    box = ring().box("session")
    sealed = box.seal(plain)
    at = data.draw(st.integers(0, len(sealed)))
    letter = data.draw(st.characters())
    for other in (sealed[:at] + letter + sealed[at:], sealed[:at] + letter + sealed[at + 1 :], sealed[:at]):
        if other != sealed:
            with pytest.raises(BadSeal):
                box.open(other)


def test_a_value_that_holds_nothing_is_neither_made_nor_opened():
    """W5: where nothing is encrypted, some OpenSSL versions do not check the tag (CVE-2026-45446): such a value is
    refused before any cipher sees it, even with a genuine tag."""
    box = ring().box("session")
    with pytest.raises(ValueError, match="nothing to seal"):
        box.seal(b"")
    key_id, nonce = box._newest, bytes(12)
    genuine = box._ciphers[key_id].encrypt(nonce, b"", key_id + box._bound)
    assert len(genuine) == 16
    for tag in (genuine, bytes(16)):
        with pytest.raises(BadSeal):
            box.open(encode(key_id + nonce + tag))


def test_every_flipped_bit_is_refused_alike():
    """C1: each bit of key id, nonce, ciphertext and tag counts, and every refusal is the same in class and words."""
    box = ring("a", "b").box("session")
    data = decode(box.seal(b"who is signed in"))
    said = set()
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadSeal) as caught:
            box.open(encode(bytes(flipped)))
        said.add((type(caught.value), str(caught.value), caught.value.__cause__))
    assert said == {(BadSeal, "the value does not open", None)}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "A",
        "AAAA",
        "A" * 42,
        "A" * 43,
        "=" * 44,
        "A" * 44 + "=",
        "é" * 60,
        "A" * 60 + "\n",
        "A" * 100_000,
        "A" * 60 + "+/",
    ],
)
def test_rubbish_is_refused_like_a_wrong_key(value):
    """C1, C5: what is no sealed value at all is refused with the same words as one that another key made."""
    with pytest.raises(BadSeal, match=r"^the value does not open$"):
        ring().box("session").open(value)


def test_an_unknown_key_id_costs_a_decryption_too(monkeypatch):
    """C1: the work done for a key id outside the ring is the work done for a wrong tag, so that time tells nothing."""
    box = ring("a").box("session")
    calls = []

    class Spy:
        def decrypt(self, *arguments):
            calls.append(arguments)
            raise InvalidTag

    monkeypatch.setattr(box, "_ciphers", dict.fromkeys(box._ciphers, Spy()))
    for sealed in (ring("b").box("session").seal(b"x"), ring("a").box("session").seal(b"x")):
        with pytest.raises(BadSeal):
            box.open(sealed)
    assert len(calls) == 2


def test_wrong_keys_never_open():
    """C13: of 5,000 values sealed under other secrets none opens, not even to rubbish."""
    box = ring("a").box("session")
    other = ring("b").box("session")
    for _ in range(5000):
        with pytest.raises(BadSeal):
            box.open(other.seal(b"x"))


def test_no_nonce_repeats():
    """C2: 100,000 values sealed have as many nonces."""
    box = ring().box("state")
    assert len({box.seal(b"x")[5:22] for _ in range(100_000)}) == 100_000


@pytest.mark.parametrize("mine", PURPOSES)
@pytest.mark.parametrize("theirs", PURPOSES)
def test_a_value_opens_for_its_own_purpose_only(mine, theirs):
    """C4, Q17: each kind of value presented as each other kind is refused, with the same context."""
    sealed = ring().box(mine, "name", "issuer", "client").seal(b"x")
    box = ring().box(theirs, "name", "issuer", "client")
    if mine == theirs:
        assert box.open(sealed) == b"x"
    else:
        with pytest.raises(BadSeal):
            box.open(sealed)


@pytest.mark.parametrize(
    "context",
    [
        ("cg", "https://issuer/b", "client"),
        ("cg", "https://issuer/a", "other"),
        ("cg2", "https://issuer/a", "client"),
        ("cgh", "ttps://issuer/a", "client"),
        ("cg", "https://issuer/aclient", ""),
        ("cg", "https://issuer/a"),
        ("cg", "https://issuer/a", "client", ""),
        (),
    ],
)
def test_a_value_opens_in_its_own_context_only(context):
    """C3, C4: another tenant's, another client's, and contexts with bytes moved between their parts are refused."""
    sealed = ring().box("session", "cg", "https://issuer/a", "client").seal(b"x")
    with pytest.raises(BadSeal):
        ring().box("session", *context).open(sealed)


@pytest.mark.property
@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_frames_tell_parts_apart(one, other):
    """C3: two different lists of parts never make the same bytes."""
    assert (frame(*one) == frame(*other)) == (one == other)


def test_the_newest_secret_seals_and_all_open():
    """A ring seals with its first secret; values of the others open until their secret leaves the ring."""
    old, both, new = ring("a"), ring("b", "a"), ring("b")
    sealed = old.box("session").seal(b"x")
    assert both.box("session").open(sealed) == b"x"
    assert new.box("session").open(both.box("session").seal(b"y")) == b"y"
    with pytest.raises(BadSeal):
        new.box("session").open(sealed)


def test_two_phase_rotation_signs_nobody_out():
    """While replicas disagree (one has the new secret second, one first), each opens what the other seals."""
    first, second = ring("a", "b").box("session"), ring("b", "a").box("session")
    assert second.open(first.seal(b"x")) == b"x"
    assert first.open(second.seal(b"y")) == b"y"


def test_the_key_id_is_told_on_opening():
    """What is derived from the key that opened a value needs that key's id."""
    keys = ring("b", "a")
    sealed = ring("a").box("state").seal(b"x")
    key_id, plain = keys.box("state").open_keyed(sealed)
    assert (key_id, plain) == (ring("a").key_ids()[0], b"x")
    assert keys.box("state").newest_key_id == keys.key_ids()[0] != key_id
    assert keys.key_ids() == (*ring("b").key_ids(), *ring("a").key_ids())


def test_a_secret_given_twice_is_one_key():
    """A careless rotation, the same secret twice, changes nothing."""
    assert ring("a", "b", "a").key_ids() == ring("a", "b").key_ids()


def test_an_empty_ring_is_refused():
    """Without a secret there is nothing to seal with."""
    with pytest.raises(ValueError, match=r"^a key ring needs at least one secret$"):
        KeyRing([])


def test_derived_values_depend_on_everything():
    """Derivation gives 32 bytes that change with secret, label and each part, and with where one part ends."""
    keys = ring("a", "b")
    a, b = keys.key_ids()
    made = [
        keys.derive(a, "pkce", b"one", b"two"),
        keys.derive(b, "pkce", b"one", b"two"),
        keys.derive(a, "nonce", b"one", b"two"),
        keys.derive(a, "pkce", b"onet", b"wo"),
        keys.derive(a, "pkce", b"one"),
        keys.derive(a, "pkce"),
    ]
    assert len(set(made)) == len(made)
    assert {len(value) for value in made} == {32}
    assert keys.derive(a, "pkce", b"one", b"two") == ring("a").derive(a, "pkce", b"one", b"two")


def test_deriving_with_an_unknown_key_is_refused():
    """A key id that is not in the ring is bad data, not a crash."""
    with pytest.raises(BadSeal):
        ring("a").derive("00000000", "pkce")


def test_a_ring_and_a_box_do_not_print_secrets():
    """H4: the representation of a ring shows key ids, never the secrets."""
    keys = KeyRing([Secret("correct horse battery staple, 32+")])
    assert repr(keys) == f"KeyRing({keys.key_ids()[0]})"
    assert "horse" not in repr(keys) + repr(keys.box("session"))


@pytest.mark.property
@given(st.binary(max_size=100))
def test_decode_undoes_encode(data):
    """Base64url comes back byte for byte."""
    assert decode(encode(data)) == data


@pytest.mark.property
@given(st.text("ABZabz09-_=+/ \n", max_size=12))
def test_a_value_has_one_spelling(text):
    """C1: whatever decodes is exactly what encoding its bytes gives."""
    try:
        data = decode(text)
    except ValueError:
        return
    assert encode(data) == text
