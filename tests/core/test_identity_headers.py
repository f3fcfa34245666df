"""Which header names are ours, and how an identity becomes header lines."""

import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.identity_headers import HeaderTemplates, as_text, fold, owned_names

USUAL = HeaderTemplates.compile(
    {
        "X-Forwarded-User": "${sub}",
        "x-forwarded-email": "${email}",
        "x-forwarded-groups": "${groups}",
        "authorization": "Bearer ${access_token}",
        "x-who": "${cognito:username} <${email}>",
    }
)


@pytest.mark.parametrize(
    "name",
    [
        b"x-auth-request-user",
        b"X-Auth_Request_User",
        b"x_auth_request_user",
        b"x.auth.request.user",
        b"x\xadauth request~user",
    ],
)
def test_folding_sees_through_spellings(name: bytes) -> None:
    """A3, A4, A18, O9: case, underscore, dot and anything else that some reader takes for a hyphen."""
    assert fold(name) == b"x-auth-request-user"


@pytest.mark.property
@given(st.binary())
def test_folding_is_the_rule_of_the_threat_cases(name: bytes) -> None:
    """Threat cases, one rule: lower case, and everything but a-z and 0-9 is a hyphen."""
    assert fold(name) == re.sub(rb"[^a-z0-9]", b"-", name.lower())


def test_every_name_that_a_mode_can_inject_is_owned() -> None:
    """Q11: also when the mode is off; the operator's own names are added, folded."""
    owned = owned_names(["X_Who", "Authorization"])
    assert {b"x-who", b"authorization", b"x-forwarded-user", b"x-auth-request-groups", b"x-amzn-oidc-data"} <= owned
    assert owned_names([]) < owned


def test_an_identity_becomes_lines() -> None:
    """The templates are filled in their order, with the session's groups and tokens."""
    claims = {"sub": "42", "email": "ada@example.com", "cognito:username": "ada"}
    assert USUAL.render(claims, ["admins", "users"], access_token="a.b.c") == [
        (b"x-forwarded-user", b"42"),
        (b"x-forwarded-email", b"ada@example.com"),
        (b"x-forwarded-groups", b"admins,users"),
        (b"authorization", b"Bearer a.b.c"),
        (b"x-who", b"ada <ada@example.com>"),
    ]


def test_a_missing_value_leaves_the_header_out() -> None:
    """A6: no value, no header; never an empty one, never half a text."""
    assert USUAL.render({"sub": "42", "email": "", "cognito:username": None}, ["", ""]) == [
        (b"x-forwarded-user", b"42")
    ]


def test_templates_say_what_a_session_must_keep() -> None:
    """Only what is named is kept in the session."""
    assert USUAL.names == ("x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "authorization", "x-who")
    assert USUAL.claims == {"sub", "email", "cognito:username"}
    assert USUAL.needs_access_token
    assert not USUAL.needs_id_token
    assert HeaderTemplates.compile({"x-id": "${id_token}"}).needs_id_token


def test_a_claim_cannot_pose_as_the_session() -> None:
    """A claim named `groups` or `access_token` does not stand for the session's."""
    forged = {"groups": "admins", "access_token": "x", "email": "e", "cognito:username": "u"}
    assert USUAL.render(forged) == [(b"x-forwarded-email", b"e"), (b"x-who", b"u <e>")]


def test_a_claim_cannot_name_another() -> None:
    """A value with `${…}` in it is text, not a template."""
    assert USUAL.render({"sub": "${email}", "email": "e"})[0] == (b"x-forwarded-user", b"${email}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain ~!@#$^&*()", "plain ~!@#$^&*()"),
        ("a\r\nx-forwarded-user: admin", "a%0D%0Ax-forwarded-user: admin"),
        ("a\x00b\x7f", "a%00b%7F"),
        ("Ad\u00e9 \u6f22", "Ad%C3%A9 %E6%BC%A2"),
        ("100%41", "100%2541"),
        (" admin ", "%20admin%20"),
        ("   ", "%20%20%20"),
        ("a, b", "a, b"),
        ("\ud800", "%ED%A0%80"),
        (["a", "b"], "a,b"),
        (["a,admins", "b"], "a%2Cadmins,b"),
        (["", "a", ""], "a"),
        (("x",), "x"),
        ([], ""),
        (True, "true"),
        (False, "false"),
        (42, "42"),
        ({"a": [1, "b"]}, '{"a":[1,"b"]}'),
        (None, ""),
        ("", ""),
    ],
)
def test_values_cannot_end_a_line_or_divide_a_list(value: object, expected: str) -> None:
    """A20, #3365: CR, LF, NUL and letters beyond ASCII are percent-encoded, so are `%` and a comma within an entry."""
    assert as_text(value) == expected


@pytest.mark.property
@given(st.text())
def test_decoding_gives_back_the_text(text: str) -> None:
    """A20: whatever the claim, its header is printable, keeps its ends, and two claims never look alike."""
    rendered = as_text(text)
    assert re.fullmatch(r"[\x20-\x7e]*", rendered)
    assert rendered == rendered.strip()
    assert unquote(rendered) == text


@pytest.mark.property
@given(st.lists(st.text(min_size=1)))
def test_a_list_keeps_its_entries(groups: list[str]) -> None:
    """A20: splitting at commas gives back the entries, one by one."""
    rendered = as_text(groups)
    assert [unquote(entry) for entry in rendered.split(",") if entry] == groups


@pytest.mark.property
@given(
    st.dictionaries(
        st.sampled_from(["sub", "email", "cognito:username"]),
        st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists),
    )
)
def test_rendering_never_breaks_a_message(claims: dict[str, Any]) -> None:
    """A20: any claims give printable lines under the configured names only."""
    for name, value in USUAL.render(claims, ["a\n"], "t\r"):
        assert name.decode() in USUAL.names
        assert re.fullmatch(rb"[\x20-\x7e]+", value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x user", "${sub}", "header x user: its name must be a token"),
        ("", "${sub}", "its name must be a token"),
        ("x\u00e9", "${sub}", "its name must be a token"),
        ("X-Forwarded-For", "${sub}", "header X-Forwarded-For: the gateway writes this header itself"),
        ("x_forwarded_host", "${sub}", "the gateway writes this header itself"),
        ("Content_Length", "${sub}", "the gateway writes this header itself"),
        ("x-a", "${sub", "a ${ that is not closed"),
        ("x-a", "${}", "a ${ that is not closed"),
        ("x-a", "${a${b}}", "a ${ that is not closed"),
        ("x-a", "${sub}\r\n", "its text must be printable ASCII"),
        ("x-a", "\u00e9${sub}", "its text must be printable ASCII"),
        ("x-a", "${sub} ", "its text must be printable ASCII"),
        ("x-a", "fixed", "it names no claim, as ${sub} does"),
        ("x-a", "", "it names no claim"),
    ],
)
def test_unusable_templates_are_named(name: str, text: str, message: str) -> None:
    """A mistake in `headers:` is told with the header's name."""
    with pytest.raises(ValueError, match=re.escape(message)):
        HeaderTemplates.compile({name: text})


def test_names_that_applications_cannot_tell_apart_are_refused() -> None:
    """A17: two headers that one reader takes for the same leave it the choice."""
    with pytest.raises(ValueError, match="cannot tell apart"):
        HeaderTemplates.compile({"x-user": "${sub}", "X_User": "${email}"})
