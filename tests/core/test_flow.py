"""A sign-in flow's bytes, its ties to one browser, and what follows when it comes back."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.flow import (
    FLOW_SECONDS,
    MAX_ATTEMPTS,
    MAX_STATE_RETURN,
    Flow,
    FlowSecrets,
    Step,
    binding_hash,
    binding_suffix,
    flow_secrets,
    is_bound,
    judge_callback,
    pack_binding,
    pack_flow,
    unpack_binding,
    unpack_flow,
)
from gateway.errors import BadData

NOW = 1_767_225_600
B = bytes(range(16))


def make(**changes):
    values = {"id": b"i" * 16, "started_at": NOW, "attempt": 1, "binding": binding_hash(B), "return_to": "/a?b=c"}
    return Flow(**{**values, **changes})


FLOWS = st.builds(
    Flow,
    id=st.binary(min_size=16, max_size=16),
    started_at=st.integers(0, 2**64 - 1),
    attempt=st.integers(0, 255),
    binding=st.binary(min_size=16, max_size=16),
    return_to=st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=MAX_STATE_RETURN),
)


@pytest.mark.property
@given(FLOWS)
def test_a_flow_comes_out_of_its_bytes_as_it_went_in(flow):
    """C18: every flow survives its packing, times beyond 2038 included."""
    assert unpack_flow(pack_flow(flow)) == flow


@pytest.mark.property
@given(st.binary(max_size=120))
def test_any_other_bytes_are_no_flow(data):
    """#2311: whatever stands in an opened `state`, it is a flow or BadData."""
    try:
        flow = unpack_flow(data)
    except BadData:
        return
    assert pack_flow(flow) == data


@pytest.mark.parametrize(
    "data", [b"", b"\x01", pack_flow(make())[:41], b"\x02" + pack_flow(make())[1:], pack_flow(make()) + b"\xff"]
)
def test_bytes_that_are_cut_of_another_version_or_no_text_are_refused(data):
    """A `state` of another version, or one that is damaged, is not guessed at."""
    with pytest.raises(BadData):
        unpack_flow(data)


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (FLOW_SECONDS - 1, True), (FLOW_SECONDS, False), (-1, False)])
def test_a_flow_has_its_time(age, fresh):
    """#3369: fifteen minutes, to the second; a flow from the future has no time at all."""
    assert make().fresh(NOW + age) is fresh


@pytest.mark.parametrize("age", [-1, FLOW_SECONDS, FLOW_SECONDS + 1, 2**40])
def test_a_binding_out_of_its_time_is_none(age):
    """#3369: the binding's time is checked here, not left to the browser."""
    assert unpack_binding(pack_binding(B, NOW), NOW + age) is None


def test_a_binding_in_its_time_is_its_value():
    """Up to the last second."""
    assert unpack_binding(pack_binding(B, NOW), NOW) == B
    assert unpack_binding(pack_binding(B, NOW), NOW + FLOW_SECONDS - 1) == B


@pytest.mark.parametrize("data", [b"", B, pack_binding(B, NOW) + b"x", pack_binding(B, NOW)[:-1]])
def test_bytes_of_another_length_are_no_binding(data):
    """What does not have a binding's shape is none."""
    assert unpack_binding(data, NOW) is None


def test_a_flow_belongs_to_one_binding_only():
    """O1: of all values that a browser holds, only the one that the flow names counts; a prefix or another does not."""
    others = [bytes([n]) * 16 for n in range(8)]
    assert is_bound(make(), [*others, B]) == B
    assert is_bound(make(), others) is None
    assert is_bound(make(), []) is None
    assert is_bound(make(), [B[:15], B + b"\0", b""]) is None


def test_the_hash_tells_nothing_of_its_value():
    """`state` carries a labelled hash: not B, and not the hash that somebody else may make of it."""
    assert len(binding_hash(B)) == 16
    assert B not in pack_flow(make())
    assert binding_hash(B) != hashlib.sha256(B).digest()[:16]


@pytest.mark.property
@given(st.binary(min_size=16, max_size=16))
def test_a_binding_s_suffix_is_a_cookie_name(hashed):
    """Four characters that every cookie name may hold."""
    suffix = binding_suffix(hashed)
    assert len(suffix) == 4
    assert suffix.replace("-", "a").replace("_", "a").isalnum()


def derive(label, *parts):
    return hashlib.sha256(label.encode() + b"".join(struct.pack(">H", len(part)) + part for part in parts)).digest()


def test_verifier_and_nonce_have_labels_of_their_own():
    """PKCE's 43 characters (RFC 7636 §4.1), and a nonce that does not tell them; each depends on B and on the id."""
    own = flow_secrets(derive, B, b"i" * 16)
    assert len(own.code_verifier) == 43
    assert own.code_verifier != own.nonce
    assert flow_secrets(derive, B, b"i" * 16) == own
    for other in (flow_secrets(derive, B[::-1], b"i" * 16), flow_secrets(derive, B, b"j" * 16)):
        assert other.code_verifier != own.code_verifier
        assert other.nonce != own.nonce


def test_secrets_do_not_print():
    """H4: the verifier and the nonce are in no repr."""
    own = FlowSecrets("the-verifier", "the-nonce")
    assert "the-" not in f"{own} {own!r}"


@pytest.mark.parametrize(
    ("usable", "signed_in", "attempt", "step"),
    [
        (True, False, 1, Step.EXCHANGE),
        (True, True, 1, Step.EXCHANGE),
        (True, False, 255, Step.EXCHANGE),
        (False, True, 1, Step.GO_ON),
        (False, True, 255, Step.GO_ON),
        (False, False, 0, Step.RESTART),
        (False, False, MAX_ATTEMPTS - 1, Step.RESTART),
        (False, False, MAX_ATTEMPTS, Step.EXPLAIN),
        (False, False, 255, Step.EXPLAIN),
    ],
)
def test_what_follows_at_the_callback(usable, signed_in, attempt, step):
    """The callback's table: a usable flow is redeemed; else who is signed in goes on; others start again, counted."""
    assert judge_callback(make(attempt=attempt), usable=usable, signed_in=signed_in) is step
