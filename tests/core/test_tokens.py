"""ID and access tokens: what is accepted, and each way of being refused."""

import hmac
import json
from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.jwks import parse_key_set
from gateway.core.tokens import (
    CLOCK_SKEW,
    MAX_TOKEN,
    Expected,
    at_hash,
    expires_at,
    key_id,
    verify_access_token,
    verify_id_token,
)
from gateway.errors import BadToken, TokenExpired, TokenNotYet
from tests.support.tokens import (
    CLIENT_ID,
    ISSUER,
    LIFETIME,
    NOW,
    access_claims,
    encode,
    id_claims,
    jwks,
    kid_of,
    private_key,
    sign,
)

EXPECTED = Expected(issuer=ISSUER, client_ids=frozenset({CLIENT_ID}), token_use_required=True)
GENERIC = replace(EXPECTED, token_use_required=False)
OURS = "https://app.example.com"


@pytest.fixture(scope="module")
def keys():
    return parse_key_set(jwks("id", "access"))


def test_a_good_id_token_gives_its_claims(keys):
    """What Cognito issues is accepted, with the nonce and the access token of this sign-in."""
    access = sign(access_claims(), "access")
    claims = id_claims(at_hash=at_hash(access))
    assert verify_id_token(sign(claims), keys, EXPECTED, now=NOW, nonce="n-1", access_token=access) == claims


def test_a_good_access_token_gives_its_claims(keys):
    """Cognito's access token has no `aud`; its `client_id` says whose it is."""
    claims = access_claims()
    assert verify_access_token(sign(claims, "access"), keys, EXPECTED, now=NOW) == claims
    assert expires_at(claims) == NOW + LIFETIME


def test_the_hash_of_an_access_token():
    """The example of OpenID Connect Core, appendix A.3."""
    assert at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == "77QmUPtjPfzWtF2AnpK9RQ"


REFUSED_IN_BOTH = {
    "another issuer (D2)": {"iss": ISSUER.replace("AbC123", "XyZ789")},
    "issuer with a slash more": {"iss": ISSUER + "/"},
    "issuer that is a list": {"iss": [ISSUER]},
    "no issuer": {"iss": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "subject that is a number": {"sub": 7},
    "overlong subject": {"sub": "s" * 256},
    "no expiry (D3)": {"exp": None},
    "expiry in words": {"exp": "tomorrow"},
    "expiry in quotes": {"exp": str(NOW + 60)},
    "expiry true (C18)": {"exp": True},
    "expiry 1e300 (C18)": {"exp": 1e300},
    "expiry with 400 digits (C18)": {"exp": 10**400},
    "negative expiry": {"exp": -1},
    "expiry in a list": {"exp": [NOW + 60]},
    "issued in the future": {"iat": NOW + CLOCK_SKEW + 1},
    "issued at false": {"iat": False},
    "not yet valid": {"nbf": NOW + CLOCK_SKEW + 1},
    "valid from a text": {"nbf": "soon"},
    "no token_use (D3)": {"token_use": None},
    "another token_use (D3)": {"token_use": "refresh"},
    "token_use that is a list": {"token_use": ["id", "access"]},
}


@pytest.mark.parametrize("changes", REFUSED_IN_BOTH.values(), ids=REFUSED_IN_BOTH.keys())
def test_claims_that_no_token_may_have(keys, changes):
    """D2, D3, C18: a signed token whose claims are not for us, now, is refused as bad and not as expired."""
    with pytest.raises(BadToken) as id_refusal:
        verify_id_token(sign(id_claims(**changes)), keys, EXPECTED, now=NOW)
    with pytest.raises(BadToken) as access_refusal:
        verify_access_token(sign(access_claims(**changes), "access"), keys, EXPECTED, now=NOW)
    assert {id_refusal.type, access_refusal.type} <= {BadToken, TokenNotYet}


AUDIENCES = {
    "none (D3)": {"aud": None},
    "another client (D1)": {"aud": "other"},
    "a number (Q9)": {"aud": 7},
    "an object (Q9)": {"aud": {CLIENT_ID: True}},
    "true (Q9)": {"aud": True},
    "empty list (Q9)": {"aud": []},
    "list with a number (Q9)": {"aud": [CLIENT_ID, 7], "azp": CLIENT_ID},
    "our name as part of another": {"aud": CLIENT_ID + "0"},
    "two without azp": {"aud": [CLIENT_ID, "other"]},
    "azp of another": {"aud": [CLIENT_ID, "other"], "azp": "other"},
    "one, azp of another": {"aud": CLIENT_ID, "azp": "other"},
    "azp that is a list": {"aud": CLIENT_ID, "azp": [CLIENT_ID]},
}


@pytest.mark.parametrize("changes", AUDIENCES.values(), ids=AUDIENCES.keys())
def test_audiences_that_are_not_us(keys, changes):
    """D3, Q9: an `aud` that is neither our client nor a list with it is refused, and never a crash."""
    with pytest.raises(BadToken):
        verify_id_token(sign(id_claims(**changes)), keys, EXPECTED, now=NOW)


@pytest.mark.parametrize(
    "changes",
    [{"aud": [CLIENT_ID]}, {"aud": [CLIENT_ID, "api"], "azp": CLIENT_ID}, {"aud": CLIENT_ID, "azp": CLIENT_ID}],
)
def test_audiences_that_are_us(keys, changes):
    """Q9: both forms of `aud` are understood."""
    assert verify_id_token(sign(id_claims(**changes)), keys, EXPECTED, now=NOW)["sub"]


@pytest.mark.parametrize("nonce", [None, "n-2", "", 7, ["n-1"], "n-1\ud800"])
def test_a_nonce_that_is_not_ours_is_refused(keys, nonce):
    """D15: the token of another sign-in, or of none, does not finish this one."""
    with pytest.raises(BadToken):
        verify_id_token(sign(id_claims(nonce=nonce)), keys, EXPECTED, now=NOW, nonce="n-1")


def test_a_nonce_that_nobody_sent_does_no_harm(keys):
    """D11: Cognito puts its own nonce into the tokens of federated users; where none is ours, any will do."""
    assert verify_id_token(sign(id_claims(nonce="cognito's own")), keys, EXPECTED, now=NOW)["nonce"]
    assert "nonce" not in verify_id_token(sign(id_claims(nonce=None)), keys, EXPECTED, now=NOW)


@pytest.mark.parametrize("value", ["wrong", "", 7, ["x"]])
def test_an_at_hash_of_another_access_token_is_refused(keys, value):
    """`at_hash` binds the two tokens to each other, wherever it is present."""
    with pytest.raises(BadToken):
        verify_id_token(sign(id_claims(at_hash=value)), keys, EXPECTED, now=NOW, access_token="access")


def test_an_at_hash_may_be_missing(keys):
    """Tokens of Amazon's SDK flows have none."""
    assert verify_id_token(sign(id_claims()), keys, EXPECTED, now=NOW, access_token="access")["sub"]


def test_an_id_token_says_when_it_was_issued(keys):
    """`iat` is required in an ID token (OpenID Connect Core §2), and not in an access token."""
    with pytest.raises(BadToken):
        verify_id_token(sign(id_claims(iat=None)), keys, EXPECTED, now=NOW)
    assert verify_access_token(sign(access_claims(iat=None), "access"), keys, EXPECTED, now=NOW)["sub"]


@pytest.mark.parametrize(
    ("leeway", "at", "over"),
    [
        (0, LIFETIME - 1, False),
        (0, LIFETIME, True),
        (0, LIFETIME + 1, True),
        (5, LIFETIME + 4, False),
        (5, LIFETIME + 5, True),
    ],
)
def test_the_second_in_which_a_token_is_over(keys, leeway, at, over):
    """RFC 7519 §4.1.4, "on or after": at its exact second a token is over; the leeway moves that second."""
    expected = replace(EXPECTED, leeway=leeway)
    checks = [
        lambda: verify_id_token(sign(id_claims()), keys, expected, now=NOW + at),
        lambda: verify_access_token(sign(access_claims(), "access"), keys, expected, now=NOW + at),
    ]
    for check in checks:
        if over:
            with pytest.raises(TokenExpired):
                check()
        else:
            check()


def test_times_that_are_fine(keys):
    """C18: a fraction of a second, a time after 2038, and a provider whose clock is a little ahead."""
    claims = id_claims(exp=4_102_444_800.5, iat=NOW + CLOCK_SKEW, nbf=NOW + CLOCK_SKEW)
    assert expires_at(verify_id_token(sign(claims), keys, EXPECTED, now=NOW)) == 4_102_444_800


def test_expired_and_wrong_is_wrong(keys):
    """TokenExpired means that nothing else is wrong: a forged token does not learn that it was also late."""
    for changes in ({"aud": "other"}, {"iss": "other"}, {"token_use": "access"}):
        with pytest.raises(BadToken) as refusal:
            verify_id_token(sign(id_claims(**changes)), keys, EXPECTED, now=NOW + LIFETIME)
        assert refusal.type is BadToken


@pytest.mark.parametrize("header", [{}, {"typ": "at+jwt"}, {"typ": "JWT"}])
@pytest.mark.parametrize("expected", [EXPECTED, GENERIC])
def test_an_id_token_is_no_access_token(keys, expected, header):
    """D1, Q17: an ID token of the right issuer, signature and client opens no call."""
    with pytest.raises(BadToken):
        verify_access_token(sign(id_claims(client_id=CLIENT_ID), **header), keys, expected, now=NOW)


@pytest.mark.parametrize("expected", [EXPECTED, GENERIC])
def test_an_access_token_is_no_id_token(keys, expected):
    """D3, Q17: an access token signs nobody in, even one with our audience."""
    with pytest.raises(BadToken):
        verify_id_token(sign(access_claims(aud=CLIENT_ID), "access"), keys, expected, now=NOW)


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_the_type_of_rfc_9068_stands_for_token_use(keys, kind):
    """Of a provider that is not Cognito, a token typed `at+jwt` is an access token, and never an ID token."""
    token = sign(access_claims(token_use=None, aud="https://api.example.com"), typ=kind)
    expected = replace(GENERIC, audiences=frozenset({"https://api.example.com"}))
    assert verify_access_token(token, keys, expected, now=NOW)["sub"]
    with pytest.raises(BadToken):
        verify_access_token(token, keys, EXPECTED, now=NOW)
    with pytest.raises(BadToken):
        verify_id_token(sign(id_claims(token_use=None), typ=kind), keys, GENERIC, now=NOW)


@pytest.mark.parametrize("typ", [None, "JWT", "jwt"])
def test_a_token_that_does_not_say_what_it_is_opens_no_call(keys, typ):
    """D1: without `token_use` and without `at+jwt` it may be an ID token, so it is refused."""
    with pytest.raises(BadToken):
        verify_access_token(sign(access_claims(token_use=None), typ=typ), keys, GENERIC, now=NOW)
    assert verify_id_token(sign(id_claims(token_use=None), typ=typ), keys, GENERIC, now=NOW)["sub"]


@pytest.mark.parametrize("client_id", [None, "other", 7, [CLIENT_ID], {}, ""])
def test_an_access_token_of_another_client_is_refused(keys, client_id):
    """D1, D3: an access token counts for the clients that were asked for, whatever its `aud` says."""
    with pytest.raises(BadToken):
        verify_access_token(sign(access_claims(client_id=client_id, aud=CLIENT_ID), "access"), keys, EXPECTED, now=NOW)


ELSEWHERE = ["https://payroll.example/api", f"{OURS}/api", f"{OURS}.evil.example", OURS.upper(), CLIENT_ID]


@pytest.mark.parametrize("aud", [*ELSEWHERE, ELSEWHERE])
@pytest.mark.parametrize("audiences", [frozenset(), frozenset({OURS, f"{OURS}/"})])
def test_an_access_token_for_another_service_is_refused(keys, aud, audiences):
    """W1: a token that names its audiences is for these alone (RFC 9068 §4), compared character by character."""
    expected = replace(EXPECTED, audiences=audiences)
    with pytest.raises(BadToken, match="aud"):
        verify_access_token(sign(access_claims(aud=aud), "access"), keys, expected, now=NOW)


@pytest.mark.parametrize("aud", [OURS, f"{OURS}/", ["https://payroll.example/api", OURS]])
@pytest.mark.parametrize("audiences", [frozenset({OURS, f"{OURS}/"}), None])
def test_an_access_token_for_this_service_is_accepted(keys, aud, audiences):
    """One of several audiences is enough; where the token is our own (None), nobody's audience matters."""
    expected = replace(EXPECTED, audiences=audiences)
    assert verify_access_token(sign(access_claims(aud=aud), "access"), keys, expected, now=NOW)["aud"] == aud


@pytest.mark.parametrize("aud", [7, [], {}, [7]])
def test_an_access_token_with_a_shapeless_audience_is_refused(keys, aud):
    """Q9: also where `aud` decides nothing, a shapeless one is refused and not passed over."""
    with pytest.raises(BadToken):
        verify_access_token(sign(access_claims(aud=aud), "access"), keys, EXPECTED, now=NOW)


SAID = {
    "iss": ({"iss": "https://other.example"}, {}, "iss is 'https://other.example', and the issuer is"),
    "alg": ({}, {"alg": "ES256"}, "alg is 'ES256', and only RS256 is taken"),
    "typ": ({}, {"typ": "logout+jwt"}, r"typ 'logout\+jwt' is another kind"),
    "kid": ({}, {"kid": "unknown"}, "no key of the kid 'unknown'"),
    "aud": ({"aud": "another-client"}, {}, r"aud \['another-client'\] does not name this client"),
    "token_use": ({"token_use": "access"}, {}, "token_use is 'access', and not id"),
    "iat": ({"iat": NOW + 1000}, {}, "iat is in the future"),
    "a line break": ({"iss": "a\nb\u2028" + "c" * 5000}, {}, r"^iss is 'a\\nb\\u2028c{180,190}, and"),
}


@pytest.mark.parametrize(("claims", "header", "said"), SAID.values(), ids=SAID.keys())
def test_a_refusal_says_what_the_token_has(keys, claims, header, said):
    """What was found and what is wanted stand in the message for the log, short and on one line."""
    with pytest.raises(BadToken, match=said):
        verify_id_token(sign(id_claims(**claims), **header), keys, EXPECTED, now=NOW)


def test_an_unsigned_token_is_refused(keys):
    """D1: `alg: none`, in any spelling, with or without a signature."""
    for alg in ("none", "None", "NONE", "nOnE"):
        head = encode(json.dumps({"alg": alg, "kid": kid_of("id")}).encode())
        for signature in ("", "AAAA"):
            with pytest.raises(BadToken):
                verify_id_token(
                    f"{head}.{encode(json.dumps(id_claims()).encode())}.{signature}", keys, EXPECTED, now=NOW
                )


def test_hs256_with_the_public_key_as_the_secret_is_refused(keys):
    """D1: the public key is no secret, in any of its published forms."""
    public = private_key("id").public_key()
    forms = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        jwks("id"),
    ]
    head = encode(json.dumps({"alg": "HS256", "kid": kid_of("id")}).encode())
    signed = f"{head}.{encode(json.dumps(id_claims()).encode())}"
    for secret in forms:
        token = f"{signed}.{encode(hmac.digest(secret, signed.encode(), 'sha256'))}"
        with pytest.raises(BadToken):
            verify_id_token(token, keys, EXPECTED, now=NOW)


def test_a_token_signed_by_another_key_is_refused(keys):
    """D1, D2: another pool's key under our key's name, and our other key under this one's name."""
    for key in ("stranger", "access"):
        with pytest.raises(BadToken):
            verify_id_token(sign(id_claims(), key, kid=kid_of("id")), keys, EXPECTED, now=NOW)


HEADERS = {
    "unknown kid": {"kid": "../../etc/passwd"},
    "no kid, two keys": {"kid": None},
    "kid that is a number": {"kid": 7},
    "kid that is an object": {"kid": {}},
    "another RSA algorithm": {"alg": "RS512"},
    "PSS": {"alg": "PS256"},
    "alg that is a list": {"alg": ["RS256"]},
    "no alg": {"alg": None},
    "critical extension": {"crit": ["exp"], "exp": 1},
    "empty crit": {"crit": []},
    "unencoded payload": {"b64": False, "crit": ["b64"]},
    "a logout token": {"typ": "logout+jwt"},
    "typ that is a number": {"typ": 7},
    "overlong header": {"x": "x" * 3000},
    "a key of its own": {"jwk": {"kty": "oct", "k": "AA"}, "kid": "new"},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_headers_that_are_refused(keys, header):
    """D1, D9: no header chooses the algorithm, the key, or another kind of token."""
    with pytest.raises(BadToken):
        verify_id_token(sign(id_claims(), **header), keys, EXPECTED, now=NOW)
    with pytest.raises(BadToken):
        verify_access_token(sign(access_claims(), **header), keys, EXPECTED, now=NOW)


PAYLOADS = [
    b"",
    b"[]",
    b"null",
    b"\xff\xfe",
    json.dumps(id_claims()).encode()[:-1] + b', "sub": "root"}',
    b'{"exp": NaN}',
    b"[" * 5000,
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_signed_rubbish_is_refused(keys, payload):
    """E8: a signature makes no object out of rubbish, and a repeated claim has no meaning."""
    with pytest.raises(BadToken):
        verify_id_token(sign(payload), keys, EXPECTED, now=NOW)


GOOD = sign(id_claims())
HEAD, BODY, SIGNATURE = GOOD.split(".")
SHAPES = [
    "",
    ".",
    "..",
    "a.b",
    "a.b.c.d.e",
    f" {GOOD}",
    f"{GOOD}\n",
    f"{HEAD}.{BODY}.{SIGNATURE}==",
    f"{HEAD}.{BODY}.{SIGNATURE[:40]}\u00e9{SIGNATURE[40:]}",
    f"{HEAD}.{BODY}.{SIGNATURE[:40]}!{SIGNATURE[40:]}",
    f"{HEAD}.{BODY}.{SIGNATURE[:40]}\u0000{SIGNATURE[40:]}",
    f"{HEAD}.{BODY}.{SIGNATURE[:-8]}",
    f"{HEAD}.{BODY[:-1]}.{SIGNATURE}",
    f"{HEAD[:-2]}.{BODY}.{SIGNATURE}",
    f"A{HEAD}.{BODY}.{SIGNATURE}",
    f"{HEAD}.{BODY}.{'A' * MAX_TOKEN}",
    f"{encode(b'[' * 1500)}.{BODY}.{SIGNATURE}",
    f"A.{BODY}.{SIGNATURE}",
]


@pytest.mark.parametrize("token", SHAPES)
def test_what_is_no_token_is_refused(keys, token):
    """D1: random texts, cut and padded tokens: the same error for all, and one spelling for each token."""
    with pytest.raises(BadToken):
        verify_id_token(token, keys, EXPECTED, now=NOW)


def test_the_key_id_of_a_token():
    """The id is read without a signature, to look for a key; a token may have none."""
    assert key_id(GOOD) == kid_of("id")
    assert key_id(sign(id_claims(), kid=None)) is None
    for token in ("rubbish", sign(id_claims(), kid=7)):
        with pytest.raises(BadToken):
            key_id(token)


@pytest.mark.property
@given(st.integers(0, len(GOOD) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_character_is_refused(position, character):
    """D1: no single character of a token can be another one; spare bits of the last character are all that is free."""
    changed = GOOD[:position] + character + GOOD[position + 1 :]
    keys = parse_key_set(jwks("id", "access"))
    if changed == GOOD or position == len(GOOD) - 1:
        return
    with pytest.raises(BadToken):
        verify_id_token(changed, keys, EXPECTED, now=NOW)


@pytest.mark.property
@given(
    st.dictionaries(
        st.sampled_from(
            ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "token_use", "nonce", "client_id", "at_hash"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_any_claims_are_accepted_or_bad(changes):
    """Whatever a provider signs, the answer is claims or BadToken, never another error."""
    keys = parse_key_set(jwks("id", "access"))
    for check in (
        lambda: verify_id_token(
            sign({**id_claims(), **changes}), keys, GENERIC, now=NOW, nonce="n-1", access_token="a"
        ),
        lambda: verify_access_token(sign({**access_claims(), **changes}, "access"), keys, EXPECTED, now=NOW),
    ):
        with suppress(BadToken):
            assert isinstance(check(), dict)
