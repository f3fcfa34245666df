"""H4: what must not be logged does not survive `redact`, whatever stands around it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.redaction import LONGEST, redact

JWT = "eyJraWQiOiJhIn0.eyJzdWIiOiIxIn0.c2ln-bmF0_dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"bad token {JWT}", "bad token ***"),
        (f"Authorization: Bearer {JWT}", "Authorization: *** ***"),
        ("GET /oauth2/callback?code=0b7c&state=x.y-z HTTP/1.1", "GET /oauth2/callback?code=***&state=*** HTTP/1.1"),
        ("{'refresh_token': 'abc', 'expires_in': 3600}", "{'refresh_token': '***', 'expires_in': 3600}"),
        ('{"client_secret":"s3cr3t"}', '{"client_secret":"***"}'),
        ("Cookie: __Host-cg_session=abc; theme=dark", "Cookie: ***"),
        ("saw cg_binding.ab12=Zm9v; and more", "saw cg_binding.ab12=***; and more"),
        ("redis://user:pw@cache:6379/0 refused", "redis://***@cache:6379/0 refused"),
        ("no such user ada@example.com", "no such user ***"),
        ("ada.lovelace+x@mail.example.co.uk, 5", "***, 5"),
        ('    if not state:\n  File "/app/web.py", line 7', '    if not state:\n  File "/app/web.py", line 7'),
        ("nothing to hide: 502 from http://127.0.0.1:3000", "nothing to hide: 502 from http://127.0.0.1:3000"),
    ],
)
def test_samples(text, shown):
    """What goes, and what stays readable."""
    assert redact(text) == shown


FIELDS = [
    "access_token", "id_token", "refresh_token", "code", "code_verifier", "state", "nonce", "client_secret", "password",
    "csrf_token",
]  # fmt: skip
SECRET = st.text(string.ascii_letters + string.digits + "-_.~+/", min_size=6, max_size=80).map(
    lambda text: f"q7Z{text}q7Z"
)


@pytest.mark.property
@given(SECRET, st.sampled_from(FIELDS), st.sampled_from(["=", ": ", '": "', "': '"]))
def test_no_value_of_a_secret_field_survives(secret, name, separator):
    """Query, form, JSON and Python's own repr of a dict."""
    assert "q7Z" not in redact(f"failed with {name}{separator}{secret}&next")


@pytest.mark.property
@given(
    st.text(string.ascii_letters + string.digits + "-_", min_size=8), st.text(string.ascii_letters + "-_."), st.text()
)
def test_no_token_survives(head, rest, before):
    """Anything that begins like a JOSE header goes, with all that belongs to it."""
    assert f"eyJ{head}" not in redact(f"{before} eyJ{head}.{rest} after")


@pytest.mark.parametrize("piece", ["a", "-a", "token", "://", "bearer ", "eyJ", "a.b", "!", "a@", "code ="])
def test_redaction_is_bounded(piece):
    """A megabyte of hostile error text leaves a bounded line, in a time that a slow expression would not keep."""
    assert len(redact(piece * 1_000_000)) <= LONGEST + 3
