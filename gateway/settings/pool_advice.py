"""Warn of pool settings that load, and yet can hardly be what somebody wanted."""

from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

from gateway.settings.findings import Finding
from gateway.settings.pool import PoolSettings
from gateway.settings.values import is_loopback


def warnings(settings: PoolSettings) -> list[Finding]:
    """Everything that is worth a second look. Nothing here keeps the pool from starting."""
    return [finding for check in CHECKS for finding in check(settings)]


def clients_nobody_can_use(settings: PoolSettings) -> Iterator[Finding]:
    """The code grant needs an address to come back to."""
    for index, client in enumerate(settings.clients):
        if "code" in client.allowed_flows and not client.callback_urls:
            yield Finding(("clients", index), "has no callback_urls, so nobody can sign in with it")


def users_without_required_attributes(settings: PoolSettings) -> Iterator[Finding]:
    """A seed user skips the sign-up page, where they would have been asked for."""
    for index, user in enumerate(settings.users):
        given = {*user.attributes, *([] if settings.alias_attributes else settings.username_attributes)}
        if missing := [name for name in settings.required_attributes if name not in given]:
            yield Finding(("users", index), f"lacks the required attributes {', '.join(missing)}")


def plain_http_beyond_this_machine(settings: PoolSettings) -> Iterator[Finding]:
    """Passwords would cross the network in the clear."""
    url = settings.base_url or ""
    if url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        yield Finding(("base_url",), "is not https: passwords and codes can be read on the way")


CHECKS: tuple[Callable[[PoolSettings], Iterable[Finding]], ...] = (
    clients_nobody_can_use,
    users_without_required_attributes,
    plain_http_beyond_this_machine,
)
"""A new warning is one function here. It reads settings only: no files, no network, no clock."""
