"""Redirect addresses and identifiers in Cognito's form."""

import pytest

from gateway.core.cognito import CLIENT_ID, POOL_ID, redirect_url_problem

FORM = "is not a redirect address: no spaces, control characters or fragment, at most 1024 characters"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://app.example.com/cb?x=1", None),
        ("http://localhost:8000/cb", None),
        ("http://[::1]/", None),
        ("myapp://callback", None),
        (
            "https://a b/",
            FORM,
        ),
        (
            "https://a/#b",
            FORM,
        ),
        (
            f"https://a/{'b' * 1024}",
            FORM,
        ),
        ("http://[", "is not a web address"),
        ("/cb", "must be absolute, for example https://app.example.com/oauth2/callback"),
        ("JavaScript:alert(1)", "has a scheme that browsers execute"),
        ("https:///cb", "has no plain host"),
        ("https://u@a/", "has no plain host"),
        (
            "http://app.example.com/",
            "cannot use the HTTP protocol; plain http is for localhost, 127.0.0.1 and [::1] only",
        ),
    ],
)
def test_redirect_addresses(url, problem):
    """Each reason in words that can follow the address."""
    assert redirect_url_problem(url) == problem


def test_identifiers():
    """A pool's id begins with its region; a client's is letters, digits, _ and +."""
    found = POOL_ID.fullmatch("us-gov-west-1_AbC123")
    assert found
    assert found["region"] == "us-gov-west-1"
    assert not POOL_ID.fullmatch("AbC123")
    assert CLIENT_ID.fullmatch("1example+_")
    assert not CLIENT_ID.fullmatch("é")
