"""One person, one name: spellings of a username in the pool."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pool.attributes import normalised
from gateway.pool.refusals import PoolError
from tests.support.pool import NOW, PASSWORD, WEB, Clock, opened, options_for

SPELLINGS = [
    "ada@example.com",
    "ADA@EXAMPLE.COM",
    " ada@example.com\t",
    "\uff41\uff44\uff41@example.com",
    "ada\uff20example.com",
    "ada@example\uff0ecom",
    "\U0001d41ada@example.com",
    "Ada@Example.Com\u3000",
]


@pytest.fixture
async def pool(tmp_path):
    """A pool with Ada in it."""
    async with opened(options_for(tmp_path), Clock()) as backend:
        yield backend


async def refused(awaitable):
    with pytest.raises(PoolError) as caught:
        await awaitable
    return caught.value.code


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_every_spelling_of_a_name_is_the_same_person(pool, spelling):
    """D13, R12: case, width, mathematical letters and spaces make no second Ada, and sign the first one in."""
    signed_in = await pool.accounts.sign_in(WEB, spelling, PASSWORD, NOW)
    code = await refused(pool.accounts.sign_up(WEB, spelling, PASSWORD, {}, NOW))

    assert signed_in.user.attributes["email"] == "ada@example.com"
    assert code in {"UsernameExistsException", "InvalidParameterException"}


async def test_spellings_share_one_count_of_guesses(pool):
    """D13, R10: guessing under another spelling each time is guessing all the same: the lock closes for all of them."""
    for spelling in SPELLINGS:
        await refused(pool.accounts.sign_in(WEB, spelling, "wrong", NOW))

    for spelling in SPELLINGS:
        with pytest.raises(PoolError, match="exceeded"):
            await pool.accounts.sign_in(WEB, spelling, PASSWORD, NOW)


@pytest.mark.property
@given(st.text(max_size=30))
def test_a_compared_name_has_one_form(tmp_path_factory, text):
    """D13: comparing what is compared already changes nothing, so no detour makes two names of one."""
    options = options_for(tmp_path_factory.getbasetemp())
    once = normalised(options, text)
    assert normalised(options, once) == once
