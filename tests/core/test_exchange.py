"""What is asked at the token, userInfo and revocation endpoints, and what an answer means."""

import json
from base64 import b64decode
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.exchange import (
    Answer,
    Call,
    Client,
    code_call,
    read_tokens,
    read_userinfo,
    refresh_call,
    revoke_call,
    userinfo_call,
)
from gateway.core.secret import Secret
from gateway.errors import BadToken, ProviderRefused, ProviderUnavailable

URL = "https://login.example/oauth2/token"
PUBLIC = Client(client_id="us")
GRANT = {"grant_type": "authorization_code", "code": "c", "redirect_uri": "https://a/cb", "code_verifier": "v"}


def confidential(**changes) -> Client:
    return Client(**{"client_id": "us+1", "client_secret": Secret("s:e+c ü"), **changes})


def form(call: Call) -> dict[str, str]:
    pairs = parse_qsl(call.body.decode(), strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def redeem(client: Client) -> Call:
    return code_call(URL, client, code="c", redirect_uri="https://a/cb", code_verifier="v")


def basic(call: Call) -> str:
    scheme, _, value = call.headers["authorization"].partition(" ")
    assert scheme == "Basic"
    return b64decode(value, validate=True).decode()


def test_a_public_client_names_itself_in_the_form():
    """A client without a secret sends its `client_id` (RFC 6749 §3.2.1), the verifier, and no Authorization."""
    call = redeem(PUBLIC)
    assert (call.method, call.url) == ("POST", URL)
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form(call) == {**GRANT, "client_id": "us"}
    assert "authorization" not in call.headers


def test_basic_authentication_encodes_both_halves():
    """RFC 6749 §2.3.1: id and secret are form-encoded before they are joined, so a colon in either does no harm."""
    call = redeem(confidential())
    assert basic(call) == "us%2B1:s%3Ae%2Bc+%C3%BC"
    assert form(call) == GRANT


def test_basic_authentication_as_amazon_documents_it():
    """Amazon's pages show the plain base64 of `client_id:client_secret`."""
    assert basic(redeem(confidential(authentication="basic-raw"))) == "us+1:s:e+c ü"


def test_authentication_in_the_form():
    """A provider that takes the secret only in the form gets it there, and not in a header as well."""
    call = redeem(confidential(authentication="post"))
    assert form(call) == {**GRANT, "client_id": "us+1", "client_secret": "s:e+c ü"}
    assert "authorization" not in call.headers


def test_refresh_revoke_and_userinfo():
    """The other three calls of the back channel."""
    assert form(refresh_call(URL, PUBLIC, "r")) == {
        "grant_type": "refresh_token",
        "refresh_token": "r",
        "client_id": "us",
    }
    assert form(revoke_call(URL, PUBLIC, "r")) == {"token": "r", "client_id": "us"}
    call = userinfo_call(URL, "a")
    assert (call.method, call.body, call.headers["authorization"]) == ("GET", b"", "Bearer a")


def test_no_secret_prints():
    """H4: codes, verifiers, tokens and client secrets are in no repr."""
    answer = tokens(access_token="secret-a", id_token="secret-i", refresh_token="secret-r")
    client = Client(client_id="us", client_secret=Secret("secret-c"), authentication="post")
    call = code_call(URL, client, code="secret-c", redirect_uri="https://a", code_verifier="secret-v")
    shown = [answer, read_tokens(answer), client, call, userinfo_call(URL, "secret-a")]
    assert "secret-" not in repr(shown)


def tokens(status: int = 200, **fields: object) -> Answer:
    document = {"access_token": "a", "token_type": "Bearer", **fields}
    return Answer(status, json.dumps(document).encode())


def test_the_tokens_of_an_answer():
    """All three tokens and the lifetime are read; `token_type` in any case; unknown fields are passed over."""
    got = read_tokens(tokens(id_token="i", refresh_token="r", expires_in=3600, token_type="bearer", scope="x"))
    assert (got.access_token, got.id_token, got.refresh_token, got.expires_in) == ("a", "i", "r", 3600)
    bare = read_tokens(tokens(id_token=None))
    assert (bare.id_token, bare.refresh_token, bare.expires_in) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3600, 3600),
        (59.9, 59),
        ("900", 900),
        (31_536_000, 31_536_000),
        (31_536_001, None),
        (0, None),
        (-5, None),
        (True, None),
        (1e300, None),
        (10**400, None),
        ("soon", None),
        ("-900", None),
        ("²", None),
        ("9" * 5000, None),
        ([3600], None),
        (None, None),
    ],
)
def test_the_lifetime_of_an_answer(value, seconds):
    """C18: a lifetime that is no sensible number of seconds counts as unsaid."""
    assert read_tokens(tokens(expires_in=value)).expires_in == seconds


@pytest.mark.parametrize(
    "fields",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a b"},
        {"access_token": "a\r\nb"},
        {"access_token": "ü"},
        {"id_token": {}},
        {"id_token": ""},
        {"refresh_token": ["r"]},
        {"refresh_token": "r\x00"},
        {"token_type": "mac"},
        {"token_type": None},
        {"token_type": ["Bearer"]},
    ],
)
def test_an_answer_with_garbage_for_tokens(fields):
    """A 200 whose fields are no tokens is garbage: the provider is unavailable, and nobody is signed out."""
    with pytest.raises(ProviderUnavailable):
        read_tokens(tokens(**fields))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"access_token": "a"', b'{"a": 1, "a": 2}'])
def test_an_answer_that_is_no_json_object(body):
    """The same for what is no JSON object."""
    with pytest.raises(ProviderUnavailable):
        read_tokens(Answer(200, body))


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "error", ["invalid_grant", "invalid_client", "unauthorized_client", "invalid_request", "invalid_scope"]
)
def test_the_final_no(status, error):
    """A known OAuth error in a 4xx is final, and carries its code for the decision above."""
    with pytest.raises(ProviderRefused) as refusal:
        read_tokens(Answer(status, json.dumps({"error": error, "error_description": "why"}).encode()))
    assert (refusal.value.error, refusal.value.description) == (error, "why")


@pytest.mark.parametrize("description", [7, None, "line\nbreak", ["x"]])
def test_a_strange_description_is_left_out(description):
    """H4: a description with line breaks or of another type never reaches a log line."""
    with pytest.raises(ProviderRefused) as refusal:
        read_tokens(Answer(400, json.dumps({"error": "invalid_grant", "error_description": description}).encode()))
    assert str(refusal.value) == "invalid_grant"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b'{"error": "invalid_grant"}'),
        Answer(503, b""),
        Answer(429, b'{"error": "invalid_grant"}'),
        Answer(302, b""),
        Answer(404, b"<html>"),
        Answer(201, b'{"access_token": "a", "token_type": "Bearer"}'),
        Answer(403, b"<html>Request blocked by the WAF</html>"),
        Answer(401, b""),
        Answer(400, b""),
        Answer(400, b"[]"),
        Answer(400, b'{"error": 7}'),
        Answer(400, b'{"error": ["invalid_grant"]}'),
        Answer(400, b'{"error": "server_error"}'),
        Answer(400, b'{"error": "temporarily_unavailable"}'),
        Answer(400, b'{"error": "slow_down"}'),
        Answer(400, b'{"error": "something new"}'),
        Answer(400, b'{"error": "invalid_request", "error_description": "Rate exceeded"}'),
        Answer(400, b'{"__type": "TooManyRequestsException", "error": "invalid_request"}'),
    ],
)
def test_the_passing_no(answer):
    """Errors of servers, throttling (Amazon's with a 400, too), redirects and pages of a WAF sign nobody out."""
    with pytest.raises(ProviderUnavailable):
        read_tokens(answer)


def test_userinfo_of_the_same_user():
    """Cognito's quirks come through as they are: all values are texts (D14 is for who reads them)."""
    claims = {"sub": "me", "email_verified": "false", "username": "ada"}
    assert read_userinfo(Answer(200, json.dumps(claims).encode()), "me") == claims


@pytest.mark.parametrize("sub", ["you", None, "", 7, ["me"], {"me": 1}, "ME"])
def test_userinfo_of_another_user(sub):
    """D8: claims with another `sub`, or none, are not used."""
    with pytest.raises(BadToken):
        read_userinfo(Answer(200, json.dumps({"sub": sub, "email": "x@y"}).encode()), "me")
    with pytest.raises(BadToken):
        read_userinfo(Answer(200, b'{"email": "x@y"}'), "me")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, b'[{"sub": "me"}]'), ProviderUnavailable),
        (Answer(200, b'"me"'), ProviderUnavailable),
        (Answer(200, b"eyJ.eyJ.sig"), ProviderUnavailable),
        (Answer(302, b'{"sub": "me"}'), ProviderUnavailable),
        (Answer(500, b'{"sub": "me"}'), ProviderUnavailable),
        (Answer(401, b""), ProviderRefused),
        (Answer(401, b'{"error": "invalid_token"}'), ProviderRefused),
        (Answer(403, b'{"error": "insufficient_scope"}'), ProviderRefused),
    ],
)
def test_userinfo_that_is_none(answer, kind):
    """D8: an array, a text, a redirect, an error: never claims. A 401 is final even without a body (RFC 6750 §3)."""
    with pytest.raises(kind):
        read_userinfo(answer, "me")


@pytest.mark.property
@given(st.integers(100, 599), st.binary(max_size=100))
def test_any_answer_is_tokens_or_a_no(status, body):
    """No answer raises anything but a ProviderError."""
    with pytest.raises((ProviderRefused, ProviderUnavailable)):
        read_tokens(Answer(status, body))
