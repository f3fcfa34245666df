"""The names of the gateway's cookies."""

import itertools
import re
from dataclasses import astuple

import pytest

from gateway.core.cookie_names import DEFAULT, FORM, cookie_names
from gateway.core.own_cookies import sets_own


def test_the_names_of_a_gateway_that_is_alone():
    """Over https each name has the strictest prefix that its path and domain allow."""
    assert astuple(cookie_names(DEFAULT, secure=True, shared=False)) == (
        "__Host-cg_session",
        "__Host-cg_idle",
        "__Host-cg_bind_",
        "__Secure-cg_return_",
        "__Host-cg_signins",
    )
    assert cookie_names(DEFAULT, secure=True, shared=True).session == "__Secure-cg_session"
    assert cookie_names(DEFAULT, secure=False, shared=False).idle == "cg_idle"


@pytest.mark.parametrize("secure", [True, False])
def test_two_gateways_of_one_host_share_no_name(secure):
    """V7: whatever their words, no name of one is a name of the other, nor one of its numbered parts or bindings; and
    every name is one that applications never see."""
    words = ["", "a_", "idle_", "signins_", "session_", "binding_", "0_"]
    gateways = [cookie_names(f"cg_{word}session", secure=secure, shared=False) for word in words]
    for own, other in itertools.permutations(gateways, 2):
        taken = re.compile(
            "|".join(
                [
                    rf"{re.escape(own.session)}(\.[0-9])?",
                    rf"{re.escape(own.idle)}(\.[0-9])?",
                    re.escape(own.binding) + "[A-Za-z0-9_-]{4}",
                    rf"{re.escape(own.address)}[0-9]",
                    re.escape(own.sign_ins),
                ]
            )
        )
        theirs = [other.session, other.idle, other.sign_ins, f"{other.binding}AAAA", f"{other.address}1"]
        assert all(sets_own(name.encode()) for name in theirs)
        assert not [name for name in theirs if taken.fullmatch(name)]


@pytest.mark.parametrize(
    "name", ["", "session", "cg_", "CG_session", "cg_a_b_session", "cg_bind_session", "cg_return_session",
             "cg_a;_session", "__Host-cg_session", "cg_session ", "cg_session\n"]
)  # fmt: skip
def test_other_names_are_refused(name):
    """V7: a name that applications would see, or that looks like another gateway's."""
    assert not FORM.fullmatch(name)
