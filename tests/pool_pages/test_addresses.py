"""Whom the limits per address count, with and without a proxy in front of the pool."""

from pathlib import Path

import httpx
import pytest

from gateway.pool.app import Pool, create_pool
from tests.pool_pages.browser import BASE, Browser
from tests.pool_pages.conftest import Clock, pool_options

PROXY = "10.0.0.1"


class Proxied(Browser):
    """A browser behind a proxy, which says for whom it speaks."""

    def __init__(self, pool: Pool, peer: str, forwarded_for: str | None) -> None:
        super().__init__(pool)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(pool, client=(peer, 1234)),
            base_url=BASE,
            headers={} if forwarded_for is None else {"x-forwarded-for": forwarded_for},
        )


async def sign_ups(pool: Pool, *visitors: tuple[str, str | None]) -> list[bool]:
    """Whether each of these visitors, one after another, got as far as the code."""
    done = []
    for number, (peer, forwarded_for) in enumerate(visitors):
        browser = Proxied(pool, peer, forwarded_for)
        async with browser.client:
            page = await browser.sign_up(f"person{number}@example.com")
        done.append("confirmform" in page.forms)
    return done


@pytest.mark.parametrize(
    ("trusted", "visitors", "done"),
    [
        ((), [(PROXY, "192.0.2.1"), (PROXY, "192.0.2.2")], [True, False]),
        (("10.0.0.0/8",), [(PROXY, "192.0.2.1"), (PROXY, "192.0.2.2"), (PROXY, "192.0.2.1")], [True, True, False]),
        (("10.0.0.0/8",), [(PROXY, "198.51.100.1, 192.0.2.1"), (PROXY, "198.51.100.2, 192.0.2.1")], [True, False]),
        (("10.0.0.0/8",), [("192.0.2.9", "198.51.100.1"), ("192.0.2.9", "198.51.100.2")], [True, False]),
        (("10.0.0.0/8",), [(PROXY, None), (PROXY, "garbage")], [True, False]),
    ],
    ids=["nobody is trusted", "each visitor", "what the visitor claims", "not from a proxy", "a silent proxy"],
)
async def test_limits_count_the_visitor(
    database: Path,
    clock: Clock,
    trusted: tuple[str, ...],
    visitors: list[tuple[str, str | None]],
    done: list[bool],
) -> None:
    """R17, A15: one sign-up an hour is allowed; only the rightmost address that no proxy of ours has is counted."""
    options = pool_options(database, trusted_proxies=trusted, sign_ups_per_hour=1)
    async with create_pool(options, clock=clock) as pool:
        assert await sign_ups(pool, *visitors) == done


async def test_sign_ins_count_the_visitor(database: Path, clock: Clock) -> None:
    """Z2, A15: the sign-in page counts wrong passwords for the address behind the proxy, whatever the account."""
    options = pool_options(database, trusted_proxies=("10.0.0.0/8",), sign_in_failures_per_hour=1)
    said = []
    async with create_pool(options, clock=clock) as pool:
        for number, visitor in enumerate(("192.0.2.1", "192.0.2.2", "192.0.2.1")):
            browser = Proxied(pool, PROXY, visitor)
            async with browser.client:
                page = await browser.sign_in(f"person{number}@example.com", "Wrong-password-1")
            said.append("Attempt limit exceeded" in page.text)
    assert said == [False, False, True]
