"""An address that its user wrote: what the application behind the gateway learns of it."""

import pytest

from tests.support.asgi import ask
from tests.support.world import SETTINGS, World

EVE = "ceo@example.com"
EVERYWHERE = {"x-forwarded-email": "${email}", "x-user": "${sub} <${email}>", "x-sub": "${sub}"}
HOST = (b"host", b"app.test")


def world(word, policy=None, **changes):
    """A gateway whose provider says `word` of Eve's address."""
    provider = {**SETTINGS["provider"], **({"email": policy} if policy else {}), **changes.pop("provider", {})}
    made = World({"provider": provider, "headers": EVERYWHERE, **changes})
    made.provider.claims = {"email": EVE, "email_verified": word}
    return made


@pytest.mark.parametrize("word", [False, "false", None, 0, "no"])
async def test_an_unverified_address_reaches_no_application(word):
    """W2: by default no header holds it, in whatever template, after sign-in and after a refresh."""
    gateway = world(word)
    visitor = gateway.visitor()
    await visitor.sign_in()
    for _ in range(2):
        assert (await visitor.navigate("/")).status_code == 200
        headers = gateway.app.last
        assert headers[b"x-sub"]
        assert b"x-forwarded-email" not in headers
        assert b"x-user" not in headers
        assert EVE.encode() not in b" ".join(headers.values())
        gateway.now += 3200
    assert gateway.provider.refreshed == 1


@pytest.mark.parametrize(
    ("word", "policy", "passed"),
    [
        (True, None, True),
        ("true", None, True),
        (None, "not-denied", True),
        (False, "not-denied", False),
        (False, "any", True),
        (None, "any", True),
    ],
)
async def test_what_the_setting_passes_on(word, policy, passed):
    """W2: `verified` is the default; `not-denied` takes silence for a yes, and `any` takes all."""
    gateway = world(word, policy)
    visitor = gateway.visitor()
    await visitor.sign_in()
    await visitor.navigate("/")
    assert (gateway.app.last.get(b"x-forwarded-email") == EVE.encode()) is passed


@pytest.mark.parametrize(("word", "status"), [(True, 200), (None, 403), (False, 403)])
async def test_a_rule_on_addresses_needs_a_verified_one(word, status):
    """W2: with `groups_claim: email` a rule names addresses: an unverified one is in no group, whatever passes."""
    rules = [{"path": "/**", "groups": [EVE]}]
    gateway = world(word, "any", provider={"groups_claim": "email"}, access=rules)
    visitor = gateway.visitor()
    await visitor.sign_in()
    assert (await visitor.navigate("/")).status_code == status


async def test_a_programs_address_is_judged_as_a_persons():
    """W2: an access token that carries an unverified address identifies its subject, without the address."""
    gateway = world(None)
    token = gateway.provider.access_token(email=EVE)
    answer = await ask(gateway.gateway, headers=[HOST, (b"authorization", f"Bearer {token}".encode())])
    assert answer.status == 200
    assert b"x-forwarded-email" not in gateway.app.last
    assert gateway.app.last[b"x-sub"]
