"""Authorize and sign-out addresses, and what a callback says."""

from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.oidc import (
    MAX_FIELDS,
    MAX_QUERY,
    MAX_VALUE,
    RESERVED_PARAMETERS,
    CallbackCode,
    CallbackError,
    Problem,
    authorize_url,
    pkce_challenge,
    read_callback,
    sign_out_url,
    with_query,
)
from gateway.errors import BadData

ISSUER = "https://issuer.example"
ENDPOINT = "https://login.example/oauth2/authorize"
OURS = {"client_id": "us", "redirect_uri": "https://app.test/oauth2/callback", "state": "s", "scope": "openid email"}


def query(url: str | None) -> list[tuple[str, str]]:
    assert url is not None
    return parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)


def test_the_challenge_of_a_verifier():
    """The example of RFC 7636, appendix B."""
    assert (
        pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_an_authorize_address_carries_our_parameters():
    """All parameters are there once, and a space is %20: not every provider reads a query as a form."""
    url = authorize_url(ENDPOINT, OURS)
    assert url.startswith(f"{ENDPOINT}?")
    assert "scope=openid%20email" in url
    assert dict(query(url)) == OURS


def test_extra_parameters_never_override_ours():
    """D10: `?redirect_uri=` and its like change nothing, whoever brings them, and however often."""
    evil = dict.fromkeys([*RESERVED_PARAMETERS, *OURS], "https://evil.example")
    assert query(authorize_url(ENDPOINT, OURS, evil, evil)) == list(OURS.items())
    assert query(authorize_url(f"{ENDPOINT}?redirect_uri=https://evil.example", OURS)) == list(OURS.items())
    assert dict(query(authorize_url(ENDPOINT, {**OURS, "lang": "de"}, {"lang": "fr"})))["lang"] == "de"


def test_the_first_of_the_extra_parameters_wins():
    """D10: what the operator fixed is not for a visitor to change; what he left open is."""
    got = dict(query(authorize_url(ENDPOINT, OURS, {"prompt": "login"}, {"prompt": "none", "lang": "de"})))
    assert got == {**OURS, "prompt": "login", "lang": "de"}


def test_an_endpoint_keeps_its_own_query_and_loses_its_fragment():
    """RFC 6749 §3.1: a query of the endpoint's own is retained."""
    assert with_query("https://x.example/a?p=sign%20in&q=#top", {"b": "1"}) == "https://x.example/a?p=sign%20in&q=&b=1"


@pytest.mark.property
@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name.isprintable()), st.text(), max_size=5))
def test_values_arrive_as_they_were_meant(extra):
    """No value can add a parameter, a fragment or a line to the address."""
    url = authorize_url(ENDPOINT, OURS, extra)
    assert url.isascii()
    assert url.isprintable()
    assert dict(query(url)) == {**{n: v for n, v in extra.items() if n not in RESERVED_PARAMETERS}, **OURS}


def test_signing_out_at_cognito():
    """Cognito takes `client_id` and `logout_uri`, and knows no RP-initiated logout. No token is in the address (Q7)."""
    url = sign_out_url("cognito", "https://d.example/logout", client_id="us", return_uri="https://a/?x=1", id_token="t")
    assert url == "https://d.example/logout?client_id=us&logout_uri=https%3A%2F%2Fa%2F%3Fx%3D1"


def test_signing_out_elsewhere():
    """Q7: RP-initiated logout names us by `client_id`; a token goes along only where it was asked for."""
    plain = sign_out_url("oidc", "https://d.example/end", client_id="us", return_uri="https://a/")
    assert query(plain) == [("client_id", "us"), ("post_logout_redirect_uri", "https://a/")]
    hinted = sign_out_url("oidc", "https://d.example/end", client_id="us", return_uri="https://a/", id_token="t")
    assert query(hinted) == [*query(plain), ("id_token_hint", "t")]


def test_nowhere_to_sign_out():
    """A provider without an end-session endpoint, or one that is not to be visited, has no address."""
    assert sign_out_url("none", "https://d.example/end", client_id="us", return_uri="https://a/") is None
    assert sign_out_url("oidc", None, client_id="us", return_uri="https://a/") is None


def test_a_callback_with_a_code():
    """The code and the state come out decoded; what else is there, repeated or not, is nothing to us."""
    got = read_callback(b"code=a%2Bb&state=s.t_u-v&session_state=1&session_state=2", ISSUER)
    assert got == CallbackCode(code="a+b", state="s.t_u-v")


def test_a_code_does_not_print():
    """H4: neither the code nor the state is in the repr of a callback."""
    assert repr(CallbackCode(code="secret", state="sealed")) == "CallbackCode(…)"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"&",
        b"&&&",
        b"=",
        b"?",
        b"code=a",
        b"state=s",
        b"code=&state=s",
        b"code=a&state=",
        b"code&state=s",
        b"code=a&code=a&state=s",
        b"code=a&code=b&state=s",
        b"code=a&state=s&state=s",
        b"code=a&%73tate=s&state=t",
        b"code=a&state=s&state=",
        b"code=a&state=s&error=access_denied",
        b"error=",
        b"error=a&error=b&state=s",
        b"error=a&state=s&state=t",
        b"error=a&error_description=x&error_description=y",
        b"code=a%00&state=s",
        b"code=a%0d%0aX:y&state=s",
        b"code=a&state=%00",
        b"code=%ff&state=s",
        b"code=\xff&state=s",
        b"code=a;state=s",
        b"code=" + b"a" * (MAX_VALUE + 1) + b"&state=s",
        b"code=a&state=" + b"s" * (MAX_VALUE + 1),
        b"code=a&state=s&x=" + b"x" * MAX_QUERY,
        b"code=a&state=s" + b"&x=1" * MAX_FIELDS,
        b"code=a&state=s&iss=https://evil.example",
        b"code=a&state=s&iss=",
        b"code=a&state=s&iss=https://issuer.example&iss=https://issuer.example",
    ],
)
def test_a_callback_that_is_bad_data(raw):
    """D5, D6: missing, repeated, empty, overlong or unprintable parameters are one kind of error, and no crash."""
    with pytest.raises(BadData):
        read_callback(raw, ISSUER)


def test_the_answer_of_our_issuer():
    """RFC 9207: where the provider names itself, it is compared."""
    assert isinstance(read_callback(b"code=a&state=s&iss=https%3A%2F%2Fissuer.example", ISSUER), CallbackCode)


@pytest.mark.parametrize(
    ("error", "description", "problem"),
    [
        ("access_denied", "", Problem.DENIED),
        ("login_required", "", Problem.SIGN_IN_NEEDED),
        ("invalid_scope", "", Problem.MISCONFIGURED),
        ("unauthorized_client", "", Problem.MISCONFIGURED),
        ("invalid_request", "invalid_scope", Problem.MISCONFIGURED),
        ("invalid_request", "Connection reset", Problem.OTHER),
        ("server_error", "", Problem.UNAVAILABLE),
        ("temporarily_unavailable", "", Problem.UNAVAILABLE),
        ("something_new", "", Problem.OTHER),
    ],
)
def test_the_kinds_of_error(error, description, problem):
    """Each error of the provider is one of five kinds; Cognito's `invalid_scope` counts in either field."""
    got = read_callback(f"error={error}&error_description={quote(description)}&state=s".encode(), ISSUER)
    assert got == CallbackError(error=error, description=description, state="s")
    assert got.problem is problem


def test_an_error_without_state_or_description():
    """Cognito does not promise a `state` with every error."""
    assert read_callback(b"error=invalid_request", ISSUER) == CallbackError(
        error="invalid_request", description="", state=None
    )


def test_a_description_is_short_and_printable():
    """H2: what a Lambda trigger wrote reaches a page printable and at most 300 long; the page escapes it."""
    text = "PreSignUp failed with error\r\n<b>\u202eno\x00</b>" + "x" * 500
    got = read_callback(b"error=" + b"e" * 100 + b"&error_description=" + quote(text).encode(), ISSUER)
    assert isinstance(got, CallbackError)
    assert got.description.startswith("PreSignUp failed with error  <b> no </b>x")
    assert (len(got.error), len(got.description)) == (64, 300)


@pytest.mark.property
@given(st.binary(max_size=300) | st.text("codestaerrorisn=&%+;0aF", max_size=60).map(str.encode))
def test_any_query_is_read_or_bad(raw):
    """D6: no query raises anything but BadData."""
    with suppress(BadData):
        assert isinstance(read_callback(raw, ISSUER), CallbackCode | CallbackError)
