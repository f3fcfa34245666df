"""Explain a `redirect_mismatch` to a developer: what was asked for, and what is registered."""

from dataclasses import dataclass

from gateway.pool.forms import Params
from gateway.pool.options import PoolOptions


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the explanation: a label, and the addresses or ids that it names."""

    label: str
    values: tuple[str, ...]


def mismatch_facts(params: Params, options: PoolOptions) -> tuple[Fact, ...]:
    """The explanation, from the query of the error page; nothing outside development, where it would help attackers."""
    if not options.development or params.get("error") != "redirect_mismatch":
        return ()
    client = options.client(params.get("client_id"))
    if client is None:
        known = tuple(client.client_id for client in options.clients)
        return Fact("client_id that was asked for", (params.get("client_id"),)), Fact("Clients of this pool", known)
    name = "logout_uri" if params.get("logout_uri") else "redirect_uri"
    setting, registered = (
        ("logout_urls", client.logout_urls) if name == "logout_uri" else ("callback_urls", client.callback_urls)
    )
    return (
        Fact(f"{name} that was asked for", (params.get(name) or "(none)",)),
        Fact(f"{setting} of client {client.client_id}", registered or ("(none)",)),
    )
