"""Warn of pool settings that load, and yet can hardly be what somebody wanted."""

from collections.abc import Callable, Iterable, Iterator

from gateway.settings.findings import Finding
from gateway.settings.pool import PoolSettings


def warnings(settings: PoolSettings) -> list[Finding]:
    """Everything that is worth a second look. Nothing here keeps the pool from starting."""
    return [finding for check in CHECKS for finding in check(settings)]


def clients_nobody_can_use(settings: PoolSettings) -> Iterator[Finding]:
    """The code grant needs an address to come back to."""
    for index, client in enumerate(settings.clients):
        if "code" in client.allowed_flows and not client.callback_urls:
            yield Finding(("clients", index), "has no callback_urls, so nobody can sign in with it")


CHECKS: tuple[Callable[[PoolSettings], Iterable[Finding]], ...] = (clients_nobody_can_use,)
"""A new warning is one function here. It reads settings only: no files, no network, no clock."""
