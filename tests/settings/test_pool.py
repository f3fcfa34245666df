"""The pool's file: mistakes that Cognito would refuse are refused with a line, before anything starts."""

# ruff: noqa: E501, ISC004 - the reports are whole, a message a line

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.cognito import redirect_url_problem
from gateway.errors import SettingsError
from gateway.pool.records import check_redirect_url
from gateway.settings import values
from gateway.settings.load import loads_pool, reads_pool

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
        (
            "eu-west-1_AbC123",
            "pool",
            "1: pool_id: is not a pool id; write for example eu-west-1_AbC123xyz (found: pool)",
        ),
        ("web", "we-b", "3: clients[0].client_id: must be 1 to 128 letters, digits, _ or + (found: we-b)"),
        (
            "localhost:8000/cb",
            "localhost.com/",
            "4: clients[0].callback_urls[0]: cannot use the HTTP protocol; plain http is for localhost, 127.0.0.1 and [::1] only (found: http://localhost.com/)",
        ),
        ("mail: {kind: folder, folder: mail}", "mail: {kind: folder}", "5: mail.folder: is needed when kind is folder"),
        (
            "mail: {kind: folder, folder: mail}",
            "mail: {kind: mailbox}",
            "5: mail.kind: mailbox shows codes to anybody: it needs development: true",
        ),
        (
            "  - client_id: web",
            "  - allowed_flows: [code, client_credentials]\n    client_id: web",
            "3: clients[0].allowed_flows: client_credentials must be the only one",
        ),
        (
            "  - client_id: web",
            "  - allowed_flows: [client_credentials]\n    client_id: web",
            "3: clients[0].allowed_flows: client_credentials needs a client_secret",
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
        ("clients:", "clients:\n  - client_id: web", "4: clients[1].client_id: is the same as that of entry 0"),
        (
            "clients:",
            "users: [{username: a@b.c, password: Analytical-9, groups: [admin]}]\ngroups: [{name: admins}]\nclients:",
            "2: users[0].groups[0]: is not in groups; did you mean admins?",
        ),
        (
            "clients:",
            "secret: changeme\nclients:",
            "2: secret: is shorter than 32 characters; make a new one with `cognito-gateway secret`",
        ),
        (
            "clients:",
            "alias_attributes: [email]\nclients:",
            "2: alias_attributes: cannot be combined with username_attributes; set the latter to []",
        ),
    ],
)
def test_mistakes_in_a_pools_file(old, new, line):
    """Each message, whole."""
    with pytest.raises(SettingsError) as refused:
        loads_pool(GOOD.replace(old, new).encode(), "p.yaml", {}, Path())
    assert str(refused.value) == f"p.yaml:{line}\n1 mistake"


def test_the_pools_own_rules_are_in_the_same_report():
    """Redirect addresses, names, passwords, attributes, groups and scopes: one report, a line each."""
    text = """\
pool_id: eu-west-1_AbC123
custom_attributes: [team]
password_policy: {minimum_length: 10}
groups:
  - name: admins
  - name: admins
resource_servers: [{identifier: "https://api.example.com", scopes: {read: Read}}]
clients:
  - client_id: web
    callback_urls:
      - http://app.localhost:8000/cb
      - javascript:alert(1)
    logout_urls: ["https://u@x.example/"]
    default_redirect_uri: https://elsewhere.example/
users:
  - username: ada
    password: Analytical-9
    attributes: {emial: ada@example.com, birthdate: yesterday, team: red, "custom:team": red}
    groups: [admins, admin]
  - username: bob@example.com
    password: short
  - username: BOB@example.com
    password: Analytical-Engine-1843
mail: {kind: mailbox}
"""
    with pytest.raises(SettingsError) as refused:
        loads_pool(text.encode(), "p.yaml", {}, Path())
    assert str(refused.value).splitlines() == [
        "p.yaml:6: groups[1].name: is the same as that of entry 0",
        "p.yaml:11: clients[0].callback_urls[0]: cannot use the HTTP protocol; plain http is for localhost, 127.0.0.1 and"
        " [::1] only (found: http://app.localhost:8000/cb)",
        "p.yaml:12: clients[0].callback_urls[1]: has a scheme that browsers execute (found: javascript:alert(1))",
        "p.yaml:13: clients[0].logout_urls[0]: has no plain host",
        "p.yaml:16: users[0].username: Username should be an email.",
        "p.yaml:18: users[0].attributes.birthdate: Attributes did not conform to the schema: birthdate: Attribute length"
        " must be 10",
        "p.yaml:18: users[0].attributes.emial: emial is not an attribute of this pool; did you mean email?",
        "p.yaml:21: users[1].password: Password did not conform with policy: Password not long enough",
        "p.yaml:22: users[2].username: is the same as that of entry 1",
        "p.yaml:23: users[2].password: is published in the documentation, so anybody knows it",
        "p.yaml:24: mail.kind: mailbox shows codes to anybody: it needs development: true",
        "11 mistakes",
    ]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            "default_redirect_uri: https://elsewhere.example/",
            "clients[0].default_redirect_uri: must be one of callback_urls (found: https://elsewhere.example/)",
        ),
        (
            "allowed_scopes: [openid, emial]",
            "clients[0].allowed_scopes[1]: is not a scope of this pool; did you mean email?",
        ),
        (
            "allowed_scopes: [openid, 'https://api/read']",
            "clients[0].allowed_scopes[1]: is not a scope of this pool; resource_servers defines further ones",
        ),
        (
            "write_attributes: [nmae]",
            "clients[0].write_attributes: nmae is not an attribute of this pool; did you mean name?",
        ),
        (
            "allowed_scopes: [openid, email]\n    read_attributes: [email, name]",
            "clients[0].read_attributes: lacks email_verified, which the scope email of allowed_scopes needs",
        ),
    ],
)
def test_clients_that_cannot_work(more, line):
    """What Cognito would refuse at each sign-in is refused in the file."""
    text = GOOD.replace("  - client_id: web\n", f"  - client_id: web\n    {more}\n")
    with pytest.raises(SettingsError) as refused:
        loads_pool(text.encode(), "p.yaml", {}, Path())
    said, count = str(refused.value).splitlines()
    assert (said.partition(": ")[2], count) == (line, "1 mistake")


@pytest.mark.parametrize("attribute", ["nick", "custom:nick"])
def test_a_required_attribute_that_does_not_exist(attribute):
    """Nobody could sign up."""
    with pytest.raises(SettingsError) as refused:
        loads_pool(f"{GOOD}required_attributes: [email, '{attribute}']\n".encode(), "p.yaml", {}, Path())
    assert f"required_attributes[1]: {attribute} is not an attribute of this pool" in str(refused.value)
    loads_pool(f"{GOOD}required_attributes: [nick]\ncustom_attributes: [nick]\n".encode(), "p", {}, Path())


def test_what_the_pools_file_is_warned_of():
    """Users without what is required, passwords in the clear."""
    loaded = reads_pool(
        b"""\
pool_id: eu-west-1_AbC123
base_url: http://pool.example
required_attributes: [email, name]
clients:
  - client_id: web
    callback_urls: [http://localhost:8000/cb]
users:
  - {username: ada@example.com, password: Analytical-9}
mail: {kind: folder, folder: mail}
""",
        "p.yaml", {}, Path(),
    )  # fmt: skip
    assert loaded.notes() == [
        "p.yaml:2: warning: base_url: is not https: passwords and codes can be read on the way",
        "p.yaml:8: warning: users[0]: lacks the required attributes name",
    ]


_URL = (
    st.text(st.sampled_from("htps:/localapx.@#[]1 \\\x00"), max_size=30).map("http://localhost/{}".format) | st.text()
)


@pytest.mark.property
@given(_URL | st.text(st.sampled_from("https:/@localhost[]::1.#?"), max_size=40))
def test_one_rule_for_redirect_addresses(url):
    """The file and the pool never disagree about an address."""
    problem = redirect_url_problem(url)
    for judge in (check_redirect_url, values.parse_callback_url):
        if problem is None:
            judge(url)
        else:
            with pytest.raises(ValueError, match=re.escape(problem)):
                judge(url)


def test_a_database_address_does_not_print():
    """H4: it may hold a password."""
    address = "postgresql+asyncpg://pool:geheim@db/pool"
    settings = loads_pool(f"{GOOD}database: {address}\n".encode(), "p.yaml", {}, Path())
    assert settings.database.reveal() == address
    assert "geheim" not in repr(settings) + settings.model_dump_json()
    with pytest.raises(SettingsError) as refused:
        loads_pool(f"{GOOD}database: ['{address}']\n".encode(), "p.yaml", {}, Path())
    assert "geheim" not in str(refused.value)
