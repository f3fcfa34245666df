"""What options accept."""

from pathlib import Path

import pytest

from gateway.core.secret import Secret
from gateway.pool.options import MailOptions, PasswordPolicy, SeedUser
from gateway.pool.records import AppClient, check_redirect_url
from tests.support.pool import CALLBACK, options_for


@pytest.mark.parametrize(
    "url",
    ["https://app.test/cb", "http://localhost:8000/cb", "http://127.0.0.1/cb", "http://[::1]:80/", "myapp://callback"],
)
def test_redirect_url_accepted(url):
    """https, custom schemes, and http on loopback."""
    check_redirect_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.com/", "http://app.test/", "https://app.test/#x", "/cb", "", "app.test/cb", "https://",
        "https://user@app.test/", "https://app.test/\r\nx: y", "https://app.test/ x", "https://app.test\\@evil.test/",
        "javascript:alert(1)", "data:text/html,x", "https://app.test/" + "x" * 1024,
    ],
)  # fmt: skip
def test_redirect_url_refused(url):
    """What is not absolute, not https, or something that a browser would execute."""
    with pytest.raises(ValueError, match=r".+"):
        check_redirect_url(url)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client_id": "with space"}, "client_id"),
        ({"client_id": "é"}, "client_id"),
        ({"callback_urls": ("http://app.test/",)}, "'http://app.test/' cannot use the HTTP protocol; plain http"),
        ({"default_redirect_uri": "https://other.test/", "callback_urls": (CALLBACK,)}, "default_redirect_uri"),
        ({"allowed_flows": frozenset({"client_credentials"})}, "needs a client_secret"),
        (
            {"allowed_flows": frozenset({"code", "client_credentials"}), "client_secret": Secret("x")},
            "must stand alone",
        ),
        ({"access_token_validity": 299}, "access_token_validity: 299 is not between 300 and 86400"),
        ({"id_token_validity": 86401}, "id_token_validity"),
        ({"refresh_token_validity": 3599}, "refresh_token_validity"),
        ({"rotation_grace": 61}, "rotation_grace"),
        ({"read_attributes": frozenset({"email", "name"})}, "'email' needs both email and email_verified"),
        ({"read_attributes": frozenset({"email_verified", "name"})}, "'email' needs both email and email_verified"),
        (
            {"read_attributes": frozenset({"phone_number"}), "allowed_scopes": ("openid", "phone")},
            "'phone' needs both phone_number and phone_number_verified",
        ),
    ],
)
def test_client_refused(options, message):
    """A client that Cognito would refuse is refused, by name."""
    with pytest.raises(ValueError, match=message):
        AppClient(**{"client_id": "c", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_id": "pool"}, "pool_id"),
        ({"base_url": "https://login.test/"}, "base_url"),
        ({"base_url": "login.test"}, "base_url"),
        ({"alias_attributes": ("email",)}, "cannot be combined"),
        ({"development": False}, "development"),
        ({"clients": (AppClient(client_id="a"), AppClient(client_id="a"))}, "'a' appears twice"),
        (
            {"clients": (AppClient(client_id="a", allowed_scopes=("openid",), read_attributes=frozenset({"emial"})),)},
            "clients: a: read_attributes: 'emial' is neither",
        ),
        (
            {"clients": (AppClient(client_id="a", write_attributes=frozenset({"x"})),)},
            "write_attributes: 'x' is neither",
        ),
        ({"required_attributes": ("email", "team")}, "required_attributes: 'team' is neither"),
        (
            {"seed_users": (SeedUser(username="a@b.c", password=Secret("x"), attributes={"x": ""}),)},
            "users: a@b.c: 'x'",
        ),
    ],
)
def test_pool_refused(options, message):
    """A pool that cannot work is refused, by the field's name."""
    with pytest.raises(ValueError, match=message):
        options_for(Path("/nowhere"), **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PasswordPolicy(minimum_length=5),
        lambda: PasswordPolicy(temporary_password_days=366),
        lambda: MailOptions(kind="folder"),
        lambda: MailOptions(verification_body="no code"),
    ],
    ids=["short passwords", "long temporary", "folder without name", "body without code"],
)
def test_small_options_refused(make):
    """Policies and mail settings outside Cognito's bounds are refused."""
    with pytest.raises(ValueError, match=r".+"):
        make()


def test_issuer_is_derived_or_given():
    """The issuer is the pool's own address by default; discovery stays there whatever it is."""
    derived = options_for(Path("/nowhere"))
    given = options_for(Path("/nowhere"), issuer="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz")

    assert derived.issuer == "https://login.test/eu-west-1_AbC123xyz"
    assert given.issuer.startswith("https://cognito-idp.")
    assert derived.well_known == given.well_known == "https://login.test/eu-west-1_AbC123xyz/.well-known"


def test_secrets_do_not_print():
    """Neither clients nor users print what is secret."""
    client = AppClient(client_id="c", client_secret=Secret("hidden"))

    assert "hidden" not in repr(client)


@pytest.mark.parametrize("spelling", ["team", "custom:team"])
def test_custom_attributes_have_their_full_names(spelling):
    """With or without the prefix in the settings, the pool knows the attribute as `custom:team` alone."""
    client = AppClient(
        client_id="a", allowed_scopes=("openid",), read_attributes=frozenset({"name", spelling}),
        write_attributes=frozenset({spelling}),
    )  # fmt: skip
    options = options_for(
        Path("/nowhere"), custom_attributes=(spelling,), required_attributes=("email", spelling), clients=(client,),
        seed_users=(SeedUser(username="a@b.c", password=Secret("x"), attributes={spelling: "1", "name": "A"}),),
    )  # fmt: skip

    assert (options.custom_attributes, options.required_attributes) == (("custom:team",), ("email", "custom:team"))
    assert options.clients[0].read_attributes == frozenset({"name", "custom:team"})
    assert options.clients[0].write_attributes == frozenset({"custom:team"})
    assert options.seed_users[0].attributes == {"custom:team": "1", "name": "A"}


def test_a_custom_attribute_never_takes_a_standard_name():
    """`custom_attributes: [name]` is `custom:name`, and `name` alone stays the standard one."""
    options = options_for(Path("/nowhere"), custom_attributes=("name",), required_attributes=("email", "name"))

    assert (options.custom_attributes, options.required_attributes) == (("custom:name",), ("email", "name"))
