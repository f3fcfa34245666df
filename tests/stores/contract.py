"""What every session store must do: one suite, inherited by the tests of each."""

from dataclasses import replace

import pytest

from gateway.core.session import TokenSet
from gateway.errors import BadData
from gateway.stores.base import SessionStore
from tests.support.sessions import NOW, cognito_tokens, session


class SessionStoreContract:
    """Inherit, and make `store` a fixture that gives an empty store."""

    async def test_a_saved_session_loads(self, store: SessionStore) -> None:
        """What was saved is loaded by the value that saving gave, tokens and all."""
        saved = session(tokens=cognito_tokens())
        value = await store.save(saved, NOW)
        assert await store.load(value, NOW) == saved

    async def test_versions_have_values_of_their_own(self, store: SessionStore) -> None:
        """Saving the next version gives another value; each loads a version of the same session."""
        first = session()
        second = replace(first, version=2, tokens=TokenSet(refresh_token="next"))
        values = [await store.save(one, NOW) for one in (first, second)]
        assert values[0] != values[1]
        assert await store.load(values[1], NOW) == second

    @pytest.mark.parametrize("value", ["", "x", "A" * 60, "é" * 60, "x" * 100_000, "../../etc/passwd", "%s%n"])
    async def test_rubbish_loads_nothing(self, store: SessionStore, value: str) -> None:
        """C5, C17: what opens no session is None when loaded and bad data when peeked at, never a crash."""
        assert await store.load(value, NOW) is None
        with pytest.raises(BadData):
            store.peek(value)

    async def test_a_changed_value_loads_nothing(self, store: SessionStore) -> None:
        """C1: each character of the value counts."""
        value = await store.save(session(), NOW)
        for at in range(0, len(value), 7):
            other = "A" if value[at] != "A" else "B"
            assert await store.load(value[:at] + other + value[at + 1 :], NOW) is None

    async def test_ending_does_not_fail(self, store: SessionStore) -> None:
        """A session may be ended once, twice, and without ever having been saved."""
        await store.save(session(), NOW)
        for _ in range(3):
            await store.end(session(), NOW)

    async def test_too_large_a_session_is_bad_data(self, store: SessionStore) -> None:
        """What cannot be loaded again is not saved."""
        with pytest.raises(BadData):
            await store.save(session(tokens=TokenSet(id_token="*" * 300_000)), NOW)
