"""A sign-in flow's bytes, its ties to one browser, and what follows when it comes back."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.flow import (
    FLOW_SECONDS,
    MAX_ATTEMPTS,
    MAX_REST,
    MAX_STATE_RETURN,
    SLOTS,
    Binding,
    Flow,
    FlowSecrets,
    Stale,
    Step,
    binding_hash,
    binding_suffix,
    flow_secrets,
    is_bound,
    judge_callback,
    pack_binding,
    pack_flow,
    staleness,
    unpack_binding,
    unpack_flow,
)
from gateway.errors import BadData

NOW = 1_767_225_600
B = bytes(range(16))


def make(**changes):
    values = {"id": b"i" * 16, "started_at": NOW, "attempt": 1, "binding": binding_hash(B), "address": b"packed"}
    return Flow(**{**values, **changes})


FLOWS = st.builds(
    Flow,
    id=st.binary(min_size=16, max_size=16),
    started_at=st.integers(0, 2**64 - 1),
    attempt=st.integers(0, 255),
    binding=st.binary(min_size=16, max_size=16),
    address=st.binary(max_size=MAX_STATE_RETURN),
    slot=st.integers(0, SLOTS),
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
    "data", [b"", b"\x02", pack_flow(make())[:42], b"\x01" + pack_flow(make())[1:], pack_flow(make(slot=SLOTS + 1))]
)
def test_bytes_that_are_cut_of_another_version_or_slot_are_refused(data):
    """A `state` of another version, or one that is damaged, is not guessed at."""
    with pytest.raises(BadData):
        unpack_flow(data)


@pytest.mark.parametrize(("age", "fresh"), [(0, True), (FLOW_SECONDS - 1, True), (FLOW_SECONDS, False), (-1, False)])
def test_a_flow_has_its_time(age, fresh):
    """#3369: fifteen minutes, to the second; a flow from the future has no time at all."""
    assert make().fresh(NOW + age) is fresh
    assert make().ends_at == NOW + FLOW_SECONDS


@pytest.mark.parametrize("age", [-1, FLOW_SECONDS, FLOW_SECONDS + 1, 2**40])
def test_a_binding_out_of_its_time_is_none(age):
    """#3369: the binding's time is checked here, not left to the browser."""
    assert unpack_binding(pack_binding(Binding(B), NOW), NOW + age) is None


def kept(binding: Binding, given: int, now: int) -> Binding:
    """What a cookie given then says now."""
    found = unpack_binding(pack_binding(binding, given), now)
    assert found is not None
    return found


def test_a_binding_in_its_time_is_its_value():
    """Up to the last second."""
    assert kept(Binding(B), NOW, NOW).value == B
    assert kept(Binding(B), NOW, NOW + FLOW_SECONDS - 1).value == B


@pytest.mark.parametrize("data", [b"", B, pack_binding(Binding(B), NOW) + b"x", pack_binding(Binding(B), NOW)[:-1]])
def test_bytes_of_another_length_are_no_binding(data):
    """What does not have a binding's shape is none."""
    assert unpack_binding(data, NOW) is None


def test_slots_are_given_one_after_the_other_until_all_are_taken():
    """Three long addresses get three slots, wherever counting begins; a fourth gets none until the first one's time."""
    binding, given = Binding(B), []
    for turn in range(SLOTS):
        slot = binding.free_slot(7, NOW)
        given.append(slot)
        binding = binding.with_slot(slot, NOW + 60 + turn)
    assert sorted(given) == [1, 2, 3]
    assert binding.free_slot(7, NOW) == 0
    assert binding.free_slot(7, NOW + 59) == 0
    assert binding.free_slot(7, NOW + 60) == given[0]


def test_a_binding_s_slots_survive_its_cookie_to_the_second():
    """Written again and again, a slot's time neither grows nor shrinks; one whose time is over is free."""
    binding = Binding(B).with_slot(2, NOW + 60)
    for second in range(0, 60, 7):
        binding = kept(binding, NOW + second, NOW + second)
        assert binding.taken[1] == NOW + 60
    binding = kept(binding, NOW + 70, NOW + 70)
    assert binding.free_slot(1, NOW + 70) == 2


def test_state_and_cookie_stay_within_their_bounds():
    """`state` under 1 KB, the cookie of a rest 1,500 characters: sealed values have 32 bytes more, in base64url."""
    state = pack_flow(make(address=b"a" * MAX_STATE_RETURN))
    assert (len(state) + 32) * 4 / 3 < 1024
    assert (MAX_REST + 32) * 4 / 3 + len("__Secure-cg_return_1") < 1500


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
    ("now", "bound", "seen", "stale"),
    [
        (NOW, True, False, None),
        (NOW + FLOW_SECONDS, True, False, Stale.LATE),
        (NOW + FLOW_SECONDS, False, True, Stale.LATE),
        (NOW, False, False, Stale.UNBOUND),
        (NOW, False, True, Stale.UNBOUND),
        (NOW, True, True, Stale.SEEN),
    ],
)
def test_what_is_wrong_with_a_flow(now, bound, seen, stale):
    """The cause that a page may name: time first, then the browser's cookie, then that it came before."""
    assert staleness(make(), now, bound=bound, seen=seen) is stale


@pytest.mark.parametrize(
    ("stale", "signed_in", "attempt", "step"),
    [
        (None, False, 1, Step.EXCHANGE),
        (None, True, 1, Step.EXCHANGE),
        (None, False, 255, Step.EXCHANGE),
        (Stale.LATE, True, 1, Step.GO_ON),
        (Stale.UNBOUND, True, 255, Step.GO_ON),
        (Stale.SEEN, False, 0, Step.RESTART),
        (Stale.REFUSED, False, MAX_ATTEMPTS - 1, Step.RESTART),
        (Stale.LATE, False, MAX_ATTEMPTS, Step.EXPLAIN),
        (Stale.UNBOUND, False, 255, Step.EXPLAIN),
    ],
)
def test_what_follows_at_the_callback(stale, signed_in, attempt, step):
    """The callback's table: a usable flow is redeemed; else who is signed in goes on; others start again, counted."""
    assert judge_callback(make(attempt=attempt), stale, signed_in=signed_in) is step
