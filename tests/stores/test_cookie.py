"""The cookie store keeps the contract, and its values open in their own place only."""

import pytest

from gateway.errors import BadSeal
from gateway.stores.base import SessionStore
from gateway.stores.cookie import CookieStore
from tests.stores.contract import SessionStoreContract
from tests.support.sessions import CLIENT, COOKIE, ISSUER, NOW, ring, session
from tests.support.sessions import store as cookie_store


class TestCookieStore(SessionStoreContract):
    """The contract, with the session sealed into its cookie."""

    @pytest.fixture
    def store(self) -> SessionStore:
        return cookie_store()


@pytest.mark.parametrize(
    "other",
    [
        cookie_store(client_id="other"),
        cookie_store(cookie_name="__Host-cg_other"),
        cookie_store(ring("z")),
        CookieStore(ring(), cookie_name=COOKIE.name, issuer=ISSUER + "2", client_id=CLIENT),
    ],
    ids=["client", "cookie", "secret", "issuer"],
)
async def test_another_gateways_session_does_not_open(other):
    """C4, Q17: a session sealed for another client, cookie, issuer or under another secret is refused alike."""
    value = await other.save(session(), NOW)
    with pytest.raises(BadSeal, match=r"^the value does not open$"):
        cookie_store().peek(value)


@pytest.mark.parametrize("purpose", ["idle", "state", "binding", "return", "csrf"])
async def test_another_kind_of_value_is_no_session(purpose):
    """C4, Q17: a packed session sealed for another purpose, in the same context, is refused."""
    value = await cookie_store().save(session(), NOW)
    with pytest.raises(BadSeal):
        ring().box(purpose, COOKIE.name, ISSUER, CLIENT).open(value)


async def test_peeking_needs_no_waiting():
    """The cookie store opens sessions at once: the hot path's miss stays synchronous."""
    value = await cookie_store().save(session(), NOW)
    assert cookie_store().peek(value) == session()
