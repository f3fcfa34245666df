"""What tokens say, and which scopes are granted."""

from dataclasses import replace

import pytest

from gateway.pool.claims import group_claims, role_claims, typed, visible
from gateway.pool.records import AppClient, Group, ResourceServer, User, UserStatus
from gateway.pool.refusals import OAuthError
from gateway.pool.scopes import machine_scopes, requested_scopes
from tests.support.pool import MACHINE, WEB

ATTRIBUTES = {
    "email": "a@b.c", "email_verified": "true", "phone_number": "+123456", "phone_number_verified": "false",
    "name": "Ada", "address": "Street 1", "updated_at": "12", "custom:team": "x",
}  # fmt: skip
USER = User(
    sub="s", username="ada", status=UserStatus.CONFIRMED, attributes=ATTRIBUTES, created_at=0, updated_at=0
)  # fmt: skip
CUSTOM = replace(WEB, read_attributes=frozenset(ATTRIBUTES))
SERVERS = (ResourceServer(identifier="api", scopes={"read": ""}),)


@pytest.mark.parametrize(
    ("scopes", "client", "names"),
    [
        ("openid", WEB, set(ATTRIBUTES) - {"custom:team"}),
        ("openid", CUSTOM, set(ATTRIBUTES)),
        ("openid email", WEB, {"email", "email_verified"}),
        ("openid phone", WEB, {"phone_number", "phone_number_verified"}),
        ("openid profile", WEB, {"name", "address", "updated_at"}),
        ("openid profile", CUSTOM, {"name", "address", "updated_at", "custom:team"}),
        ("openid api/read", WEB, set(ATTRIBUTES) - {"custom:team"}),
        ("api/read", WEB, set()),
        ("openid email", replace(WEB, read_attributes=frozenset({"name"}), allowed_scopes=("openid",)), set()),
    ],
)
def test_visible(scopes, client, names):
    """Scopes narrow what `openid` alone shows; the client's read attributes bound both."""
    assert set(visible(USER, scopes.split(), client)) == names


def test_typed():
    """In an ID token flags are boolean, `updated_at` is a number, `address` an object, custom ones strings."""
    assert typed(ATTRIBUTES) == {
        **ATTRIBUTES,
        "email_verified": True,
        "phone_number_verified": False,
        "updated_at": 12,
        "address": {"formatted": "Street 1"},
    }


@pytest.mark.parametrize(
    ("groups", "claims"),
    [
        ((), {}),
        (("b", "a"), {"cognito:groups": ["b", "a"], "cognito:roles": ["arn:b"], "cognito:preferred_role": "arn:b"}),
        (("b", "c"), {"cognito:groups": ["b", "c"], "cognito:roles": ["arn:b", "arn:c"]}),
        (("a", "gone"), {"cognito:groups": ["a", "gone"]}),
    ],
)
def test_group_claims(groups, claims):
    """Groups come by precedence; roles only when groups have them; two roles of one precedence leave none preferred."""
    known = [
        Group(name="a"),
        Group(name="b", precedence=1, role_arn="arn:b"),
        Group(name="c", precedence=1, role_arn="arn:c"),
    ]

    user = replace(USER, groups=groups)
    assert group_claims(user, known) | role_claims(user, known) == claims


@pytest.mark.parametrize(
    ("raw", "granted"),
    [
        (None, ("openid", "email", "profile", "phone", "api/read")),
        ("", ("openid", "email", "profile", "phone", "api/read")),
        ("openid", ("openid",)),
        ("email openid openid", ("email", "openid")),
        ("api/read", ("api/read",)),
    ],
)
def test_requested_scopes(raw, granted):
    """No scope means all of the client's; repeats count once."""
    assert requested_scopes(WEB, SERVERS, raw) == granted


@pytest.mark.parametrize("raw", ["nonsense", "openid nonsense", "aws.cognito.signin.user.admin", "email"])
def test_requested_scopes_refused(raw):
    """A scope that the client is not allowed, and a claim scope without `openid`, are refused."""
    with pytest.raises(OAuthError) as caught:
        requested_scopes(WEB, SERVERS, raw)

    assert caught.value.error == "invalid_scope"


def test_a_deleted_scope_is_ignored():
    """A scope that its resource server no longer has is left out; alone it is refused."""
    assert requested_scopes(WEB, (), "openid api/read") == ("openid",)
    with pytest.raises(OAuthError):
        requested_scopes(WEB, (), "api/read")


def test_machine_scopes():
    """A machine gets its custom scopes; without any left it is refused."""
    assert machine_scopes(MACHINE, SERVERS, None) == ("api/read",)
    with pytest.raises(OAuthError):
        machine_scopes(MACHINE, (), None)


def test_write_attributes():
    """Verified flags are never writable; custom attributes only where the client lists them."""
    client = AppClient(client_id="c", write_attributes=frozenset({"custom:team", "email_verified"}))

    assert client.may_write("custom:team")
    assert not client.may_write("email_verified")
    assert not WEB.may_write("custom:team")
