"""C15: known, short and guessable secrets are refused at start."""

import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings.strength import MINIMUM_LENGTH, PUBLISHED, weakness


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("", "is shorter than 32 characters"),
        ("k8Jh2-3kdLsl20dkfjh3KKd92kdjfl3", "is shorter than 32 characters"),
        ("a" * 32, "has fewer than 9 different characters"),
        ("abcd1234" * 8, "has fewer than 9 different characters"),
        ("please-change-me-k8Jh2-3kdLsl20dkfjh3KKd92", "looks like a placeholder"),
        ("My-Super-SECRET-cookie-value-0123456789", "looks like a placeholder"),
        ("MLFs4TT99kOOq8h3UAVRtYoCTDYXiRcZ", "is published as a default or example, so anybody knows it"),
    ],
)
def test_weak_secrets_are_named_as_such(secret, words):
    """C15: each kind of weakness has its words, and none of them repeats the secret."""
    assert weakness(secret) == words


@pytest.mark.parametrize("secret", sorted(PUBLISHED))
def test_published_defaults_are_refused(secret):
    """C15: a key that a public repository holds seals nothing, however long it is."""
    assert weakness(secret) == "is published as a default or example, so anybody knows it"
    assert len(secret) >= MINIMUM_LENGTH


def test_what_generators_make_is_good():
    """`cognito-gateway secret`, `openssl rand -hex 32` and `openssl rand -base64 32` pass."""
    assert weakness(secrets.token_urlsafe(32)) is None
    assert weakness("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08") is None


@pytest.mark.property
@given(st.text(string.printable, max_size=31))
def test_nothing_short_is_strong(secret):
    """C15: below 32 characters there is no exception."""
    assert weakness(secret)
