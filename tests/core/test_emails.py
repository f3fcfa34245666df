"""E-mail addresses: which of them stand for their user."""

import pytest

from gateway.core.emails import completed, is_verified, vouched

ADA, EVE = "ada@example.com", "eve@example.com"
SAID = {"yes": True, "yes in words": "true", "as .NET writes it": "True"}
DENIED = {"no": False, "no in words": "false", "a number": 1, "empty": "", "a list": [True], "another word": "yes"}


def claims(**said):
    return {"sub": "s", "email": ADA, **said}


@pytest.mark.parametrize("word", SAID.values(), ids=SAID.keys())
@pytest.mark.parametrize("policy", ["verified", "not-denied", "any"])
def test_a_verified_address_is_always_passed_on(word, policy):
    """`true`, as a boolean or as a text (Cognito's userInfo, SAML attributes), is the provider's yes."""
    assert is_verified(claims(email_verified=word))
    assert vouched(claims(email_verified=word), policy)["email"] == ADA


@pytest.mark.parametrize("word", DENIED.values(), ids=DENIED.keys())
@pytest.mark.parametrize(("policy", "passed"), [("verified", False), ("not-denied", False), ("any", True)])
def test_an_address_that_the_provider_calls_unverified(word, policy, passed):
    """W2: whatever is not a plain yes is a no; only `any` passes such an address on."""
    given = claims(email_verified=word)
    assert not is_verified(given)
    assert vouched(given, policy) == (given if passed else {"sub": "s", "email_verified": word})


@pytest.mark.parametrize("said", [{}, {"email_verified": None}])
@pytest.mark.parametrize(("policy", "passed"), [("verified", False), ("not-denied", True), ("any", True)])
def test_an_address_of_which_the_provider_says_nothing(said, policy, passed):
    """W2: silence is enough for `not-denied`: Entra and ADFS never say more."""
    assert ("email" in vouched(claims(**said), policy)) is passed


@pytest.mark.parametrize("policy", ["verified", "not-denied", "any"])
def test_claims_without_an_address_stay_as_they_are(policy):
    """There is nothing to leave out."""
    given = {"sub": "s", "email_verified": False}
    assert vouched(given, policy) is given


@pytest.mark.parametrize(
    ("token", "userinfo", "email", "word"),
    [
        ({"email": ADA}, {"email": EVE, "email_verified": True}, ADA, None),
        ({"email": ADA}, {"email_verified": True}, ADA, None),
        ({"email": ADA}, {"email": ADA, "email_verified": "true"}, ADA, "true"),
        ({"email": ADA, "email_verified": False}, {"email": ADA, "email_verified": True}, ADA, False),
        ({"email_verified": True}, {"email": EVE, "email_verified": False}, EVE, False),
        ({"email_verified": True}, {"email": EVE}, EVE, None),
        ({}, {"email": EVE, "email_verified": True}, EVE, True),
        ({}, {}, None, None),
    ],
)
def test_an_address_and_the_word_on_it_come_from_one_place(token, userinfo, email, word):
    """W2: userInfo's `email_verified` makes no other address of the ID token verified, nor the other way round."""
    whole = completed({"sub": "s", **token}, {"sub": "s", "name": "Ada", **userinfo})
    assert (whole.get("email"), whole["email_verified"], whole["name"]) == (email, word, "Ada")
