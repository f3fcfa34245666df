"""The pool's file: mistakes that Cognito would refuse are refused with a line, before anything starts."""

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings.load import loads_pool

GOOD = """\
pool_id: eu-west-1_AbC123
clients:
  - client_id: web
    callback_urls: [http://localhost:8000/cb]
mail: {kind: folder, folder: mail}
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("eu-west-1_AbC123", "pool", "1: pool_id: is not shaped like eu-west-1_AbC123xyz (found: pool)"),
        ("web", "we-b", "3: clients[0].client_id: must be 1 to 128 letters, digits, _ or + (found: we-b)"),
        (
            "localhost:8000/cb",
            "localhost.com/",
            "4: clients[0].callback_urls[0]: cannot use the HTTP protocol; plain http is for localhost only (found: http://localhost.com/)",
        ),
        ("mail: {kind: folder, folder: mail}", "mail: {kind: folder}", "5: mail: folder is needed when kind is folder"),
        (
            "mail: {kind: folder, folder: mail}",
            "mail: {kind: mailbox}",
            "1: mail.kind mailbox shows codes to anybody: it needs development: true",
        ),
        (
            "  - client_id: web",
            "  - allowed_flows: [code, client_credentials]\n    client_id: web",
            "3: clients[0]: client_credentials must be the only one of allowed_flows",
        ),
        (
            "  - client_id: web",
            "  - allowed_flows: [client_credentials]\n    client_id: web",
            "3: clients[0]: client_credentials needs a client_secret",
        ),
        (
            "  - client_id: web",
            "  - access_token_validity: 1m\n    client_id: web",
            "3: clients[0].access_token_validity: must be between 5m and 1d (found: 1m)",
        ),
        (
            "  - client_id: web",
            "  - allowed_flows: [implicit]\n    client_id: web",
            "3: clients[0].allowed_flows[0]: implicit is not built yet: use code, with PKCE (found: implicit)",
        ),
        (
            "clients:",
            "auto_verified: [email, phone_number]\nclients:",
            (
                "2: auto_verified[1]: phone_number is not built yet: no text message is sent, codes go by e-mail only"
                " (found: phone_number)"
            ),
        ),
        (
            "clients:",
            "trusted_proxies: [0.0.0.0/0]\nclients:",
            (
                "2: trusted_proxies[0]: trusts every address there is; list the networks of your own proxies"
                " (found: 0.0.0.0/0)"
            ),
        ),
        ("clients:", "clients:\n  - client_id: web", "1: clients has two entries of the same name"),
        (
            "clients:",
            "users: [{username: a, password: b, groups: [c]}]\nclients:",
            "1: users have a group that groups does not list",
        ),
        (
            "clients:",
            "secret: changeme\nclients:",
            "2: secret: is shorter than 32 characters; make a new one with `cognito-gateway secret`",
        ),
        (
            "clients:",
            "alias_attributes: [email]\nclients:",
            "1: alias_attributes cannot be combined with username_attributes; set the latter to []",
        ),
    ],
)
def test_mistakes_in_a_pools_file(old, new, line):
    """Each message, whole."""
    with pytest.raises(SettingsError) as refused:
        loads_pool(GOOD.replace(old, new).encode(), "p.yaml", {}, Path())
    assert str(refused.value) == f"p.yaml:{line}\n1 mistake"


def test_a_database_address_does_not_print():
    """H4: it may hold a password."""
    address = "postgresql+asyncpg://pool:geheim@db/pool"
    settings = loads_pool(f"{GOOD}database: {address}\n".encode(), "p.yaml", {}, Path())
    assert settings.database.reveal() == address
    assert "geheim" not in repr(settings) + settings.model_dump_json()
    with pytest.raises(SettingsError) as refused:
        loads_pool(f"{GOOD}database: ['{address}']\n".encode(), "p.yaml", {}, Path())
    assert "geheim" not in str(refused.value)
