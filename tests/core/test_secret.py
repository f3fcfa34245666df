"""A text that must not be printed."""

from gateway.core.secret import Secret


def test_it_shows_nowhere():
    """H4: neither `repr`, `str`, a format nor an exception shows it."""
    secret = Secret("correct horse battery staple")

    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret, str(ValueError(secret))]  # noqa: UP031

    assert not [text for text in shown if "horse" in text]
    assert secret.reveal() == "correct horse battery staple"


def test_it_equals_its_like_and_nothing_else():
    """A secret equals a secret with the same text; a bare text is something else, and an empty one is false."""
    assert Secret("one") == Secret("one")
    assert Secret("one") != Secret("other")
    assert Secret("one") != "one"
    assert hash(Secret("one")) == hash(Secret("one"))
    assert Secret("one")
    assert not Secret("")
