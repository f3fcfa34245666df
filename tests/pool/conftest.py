"""Fixtures of the pool's tests."""

from collections.abc import AsyncIterator

import pytest

from gateway.pool.backend import Backend
from tests.support.pool import Clock, opened, options_for


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


@pytest.fixture
async def backend(tmp_path, clock) -> AsyncIterator[Backend]:
    """An open pool with Ada in it."""
    async with opened(options_for(tmp_path), clock) as pool:
        yield pool


@pytest.fixture
async def alias_backend(tmp_path, clock) -> AsyncIterator[Backend]:
    """An open pool whose users choose a username, and sign in with a verified e-mail too."""
    options = options_for(tmp_path, username_attributes=(), alias_attributes=("email",), seed_users=())
    async with opened(options, clock) as pool:
        yield pool
