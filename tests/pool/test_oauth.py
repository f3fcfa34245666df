"""The endpoints that programs call, over HTTP."""

import base64
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from starlette.applications import Starlette

from gateway.core.secret import Secret
from gateway.pool.backend import Backend
from gateway.pool.oauth import routes
from gateway.pool.options import SeedUser
from gateway.pool.records import AppClient, Group
from gateway.server import running
from gateway.serving import POOL_LIMITS
from tests.pool.test_grants import VERIFIER, challenge_of
from tests.support.pool import CALLBACK, MACHINE, NOW, PASSWORD, WEB, ada, change_user, issue_code, opened, options_for

BASE = "https://login.test"
AMAZON_KEYS = {
    "authorization_endpoint", "end_session_endpoint", "id_token_signing_alg_values_supported", "issuer", "jwks_uri",
    "response_types_supported", "revocation_endpoint", "scopes_supported", "subject_types_supported", "token_endpoint",
    "token_endpoint_auth_methods_supported", "userinfo_endpoint",
}  # fmt: skip


def client_of(backend: Backend) -> httpx.AsyncClient:
    """An HTTP client of the pool's endpoints."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes(backend))), base_url=BASE)


@pytest.fixture
async def http(backend):
    """An HTTP client of the open pool."""
    async with client_of(backend) as client:
        yield client


def secret_of(client: AppClient) -> str:
    """The client's secret."""
    assert client.client_secret is not None
    return client.client_secret.reveal()


def basic(client: AppClient, *, encode: bool = False) -> dict[str, str]:
    """Basic authentication, raw as in Amazon's examples or percent-encoded as in RFC 6749 §2.3.1."""
    secret = secret_of(client)
    text = f"{client.client_id}:{quote(secret, safe='') if encode else secret}"
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


async def code_for(backend: Backend, client=WEB, scopes=("openid", "email"), verifier=VERIFIER) -> str:
    """A code for Ada."""
    return await issue_code(
        backend, client, await ada(backend), redirect_uri=CALLBACK, scopes=scopes, nonce="n-1",
        code_challenge=challenge_of(verifier), auth_time=NOW, now=NOW,
    )  # fmt: skip


def form_for(code: str, **changes: str) -> dict[str, str]:
    """The token request's form."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changes,
    }


async def tokens_for(backend: Backend, http: httpx.AsyncClient, **changes: Any) -> Any:
    """The token endpoint's answer for Ada."""
    code = await code_for(backend, **changes)
    return (await http.post("/oauth2/token", data=form_for(code), headers=basic(WEB))).json()


async def test_discovery(http, backend):
    """Discovery is a superset of Amazon's, served under the pool's id and at the root."""
    answers = [await http.get(f"{at}/.well-known/openid-configuration") for at in (f"/{backend.options.pool_id}", "")]
    document = answers[0].json()

    assert answers[0].content == answers[1].content
    assert set(document) > AMAZON_KEYS
    assert document["issuer"] == f"{BASE}/eu-west-1_AbC123xyz"
    assert document["jwks_uri"] == f"{BASE}/eu-west-1_AbC123xyz/.well-known/jwks.json"
    assert document["code_challenge_methods_supported"] == ["S256"]


async def test_exact_discovery_and_amazons_issuer(tmp_path, clock):
    """The exact mode has Amazon's keys alone; an Amazon-shaped issuer leaves the addresses where the pool is."""
    issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
    options = options_for(tmp_path, exact_discovery=True, issuer=issuer)
    async with opened(options, clock) as backend, client_of(backend) as http:
        document = (await http.get("/eu-west-1_AbC123xyz/.well-known/openid-configuration")).json()
        tokens = await tokens_for(backend, http)

    assert set(document) == AMAZON_KEYS
    assert list(document) == sorted(document)
    assert (document["issuer"], document["response_types_supported"]) == (issuer, ["code", "token"])
    assert document["jwks_uri"].startswith(BASE)
    assert jwt.decode(tokens["id_token"], options={"verify_signature": False})["iss"] == issuer


async def test_host_header_changes_nothing(http, backend):
    """R7: issuer and addresses are the configured ones, whatever Host and X-Forwarded-Host say."""
    headers = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http"}
    document = await http.get("/.well-known/openid-configuration", headers=headers)
    code = await code_for(backend)
    tokens = await http.post("/oauth2/token", data=form_for(code), headers={**basic(WEB), **headers})

    assert "evil" not in document.text
    for name in ("id_token", "access_token"):
        claims = jwt.decode(tokens.json()[name], options={"verify_signature": False})
        assert claims["iss"] == f"{BASE}/eu-west-1_AbC123xyz"


async def test_keys_verify_the_tokens(http, backend):
    """R6: two RSA keys with 44-character base64 ids, one for each kind of token, and the issuer in every token."""
    keys = (await http.get("/eu-west-1_AbC123xyz/.well-known/jwks.json")).json()["keys"]
    tokens = await tokens_for(backend, http)
    used = []
    for name in ("id_token", "access_token"):
        header = jwt.get_unverified_header(tokens[name])
        key = next(key for key in keys if key["kid"] == header["kid"])
        claims = jwt.decode(
            tokens[name], jwt.PyJWK(key), algorithms=["RS256"], options={"verify_exp": False, "verify_aud": False}
        )
        assert set(header) == {"kid", "alg"}
        assert claims["iss"] == backend.options.issuer
        used.append(key["kid"])

    assert len(keys) == len(set(used)) == 2
    for key in keys:
        assert set(key) == {"alg", "e", "kid", "kty", "n", "use"}
        assert len(key["kid"]) == 44
        assert len(base64.b64decode(key["kid"], validate=True)) == 32


async def test_token_answer(http, backend):
    """The answer has Cognito's members, is not stored, and may be read by any origin."""
    answer = await http.post("/oauth2/token", data=form_for(await code_for(backend)), headers=basic(WEB))

    assert answer.status_code == 200
    assert set(answer.json()) == {"id_token", "access_token", "refresh_token", "expires_in", "token_type"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-amz-cognito-request-id"]


@pytest.mark.parametrize("style", ["raw", "encoded", "form"])
async def test_client_authentication(http, backend, style):
    """Basic is taken raw and percent-encoded (the secret has `+`, `%` and `/` in it), and so is the form."""
    form = form_for(await code_for(backend))
    if style == "form":
        form |= {"client_id": WEB.client_id, "client_secret": secret_of(WEB)}
    headers = {} if style == "form" else basic(WEB, encode=style == "encoded")

    assert (await http.post("/oauth2/token", data=form, headers=headers)).status_code == 200


ENCODED = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        ("", basic(WEB), "invalid_request"),
        ("grant_type=", basic(WEB), "invalid_request"),
        ("grant_type=password&username=a", basic(WEB), "unsupported_grant_type"),
        ("grant_type=authorization_code", basic(WEB), "invalid_request"),
        ("grant_type=authorization_code&code=x", basic(WEB), "invalid_request"),
        ("grant_type=authorization_code&code=x&redirect_uri=y", basic(WEB), "invalid_grant"),
        ("grant_type=authorization_code&code=x&code=x&redirect_uri=y", basic(WEB), "invalid_request"),
        ("grant_type=authorization_code&code=%ff&redirect_uri=y", basic(WEB), "invalid_request"),
        ("grant_type=refresh_token", basic(WEB), "invalid_request"),
        ("grant_type=refresh_token&refresh_token=x", basic(WEB), "invalid_grant"),
        ("grant_type=client_credentials", basic(WEB), "unauthorized_client"),
        ("grant_type=authorization_code&code=x&redirect_uri=y", basic(MACHINE), "unauthorized_client"),
        ("grant_type=client_credentials&scope=openid", basic(MACHINE), "invalid_scope"),
        ("grant_type=client_credentials", {}, "invalid_request"),
        ("grant_type=client_credentials&client_id=nobody", {}, "invalid_client"),
        ("grant_type=client_credentials&client_id=machine", {}, "invalid_client"),
        ("grant_type=client_credentials&client_id=machine&client_secret=wrong", {}, "invalid_client"),
        ("grant_type=client_credentials&client_id=publicclient&client_secret=x", {}, "invalid_client"),
        ("grant_type=client_credentials&client_secret=x", basic(MACHINE), "invalid_request"),
        ("grant_type=client_credentials&client_id=webclient", basic(MACHINE), "invalid_request"),
        ("grant_type=client_credentials", {"Authorization": "Basic %%%"}, "invalid_client"),
        ("grant_type=client_credentials", {"Authorization": "Basic /w=="}, "invalid_client"),
        ("grant_type=client_credentials", [(b"authorization", b"Basic \xff")], "invalid_client"),
        ("grant_type=client_credentials", {"Authorization": "Bearer x"}, "invalid_client"),
        ("grant_type=client_credentials", {**basic(MACHINE), "Content-Type": "application/json"}, "invalid_request"),
        ("grant_type=client_credentials", {**basic(MACHINE), "Content-Type": ""}, "invalid_request"),
        ("x" * 200_000, basic(WEB), "invalid_request"),
    ],
)
async def test_token_errors(http, body, headers, error):
    """Bad requests get status 400 with the bare error code, readable by any origin; unknown and wrong look alike."""
    sent = httpx.Headers({"Content-Type": ENCODED})
    sent.update(headers)
    answer = await http.post("/oauth2/token", content=body, headers=sent)

    assert answer.status_code == 400
    assert answer.json() == {"error": error}
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_failed_authentication_keeps_the_code(http, backend):
    """A wrong client secret does not use the code up."""
    form = form_for(await code_for(backend))
    wrong = await http.post("/oauth2/token", data={**form, "client_id": WEB.client_id, "client_secret": "no"})
    right = await http.post("/oauth2/token", data=form, headers=basic(WEB))

    assert wrong.json() == {"error": "invalid_client"}
    assert right.status_code == 200


async def test_refresh_and_machine_answers(http, backend):
    """A refresh answers without a refresh token; a machine gets an access token alone."""
    refresh_token = (await tokens_for(backend, http))["refresh_token"]
    refreshed = await http.post(
        "/oauth2/token", data={"grant_type": "refresh_token", "refresh_token": refresh_token}, headers=basic(WEB)
    )
    machine = await http.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=basic(MACHINE))

    assert set(refreshed.json()) == {"id_token", "access_token", "expires_in", "token_type"}
    assert set(machine.json()) == {"access_token", "expires_in", "token_type"}


async def test_user_info(http, backend):
    """Every value is a string, `username` has no prefix, groups are absent; scopes narrow what is shown."""
    tokens = await tokens_for(backend, http, scopes=("openid", "email"))
    answer = await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    user = await ada(backend)

    assert answer.json() == {
        "sub": user.sub, "email": "ada@example.com", "email_verified": "true", "username": user.username,
    }  # fmt: skip
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "abc"])
async def test_user_info_without_a_token(http, header):
    """No header, or a garbled one: 400 in Cognito's words."""
    answer = await http.get("/oauth2/userInfo", headers={} if header is None else {"Authorization": header})

    assert answer.status_code == 400
    assert answer.headers["www-authenticate"] == (
        'error="invalid_request", error_description="Bad OAuth2 request at UserInfo Endpoint"'
    )
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_user_info_refuses_other_tokens(http, backend):
    """ID tokens, unsigned, foreign, HS256 and expired ones: 401 with one wording for all."""
    tokens = await tokens_for(backend, http)
    access = tokens["access_token"]
    claims = jwt.decode(access, options={"verify_signature": False})
    header, payload, signature = access.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({**jwt.get_unverified_header(access), "alg": "HS256"}, claims)
    )
    pem = (
        backend.tokens._keys["access"]
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    mac = base64.urlsafe_b64encode(hmac.digest(pem, f"{head}.{body}".encode(), "sha256")).rstrip(b"=").decode()
    forged = [
        tokens["id_token"],
        tokens["refresh_token"],
        f"{none}.{payload}.",
        f"{header}.{payload}.{signature[:-8]}AAAAAAAA",
        f"{head}.{body}.{mac}",
        "x" * 20_000,
    ]
    answers = [await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {token}"}) for token in forged]
    backend.clock.now = claims["exp"]
    answers.append(await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {access}"}))
    backend.clock.now -= 1
    alive = await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {access}"})

    assert {a.status_code for a in answers} == {401}
    words = "Access token is expired, disabled, or deleted, or the user has globally signed out."
    assert {a.headers["www-authenticate"] for a in answers} == {f'error="invalid_token", error_description="{words}"'}
    assert alive.status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"token_use": "id"},
        {"iss": "https://other.test"},
        {"exp": None},
        {"sub": None},
        {"client_id": "nobody"},
        {"event_id": "x"},
        {"event_id": None},
    ],
    ids=str,
)
async def test_user_info_reads_every_claim(http, backend, change):
    """A token that the right key signed is still refused when its use, issuer, client or family is not right."""
    tokens = await tokens_for(backend, http)
    claims = {**jwt.decode(tokens["access_token"], options={"verify_signature": False}), **change}
    key = backend.tokens._keys["access"]
    present = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(present, key.private, "RS256", headers={"kid": key.kid})
    answer = await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401


async def test_user_info_needs_openid(http, backend):
    """A token without `openid` is told so."""
    tokens = await tokens_for(backend, http, scopes=("api/read",))
    answer = await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert answer.status_code == 401
    assert answer.json() == {
        "error": "invalid_token",
        "error_description": "Access token does not contain openid scope",
    }


async def test_revoke(http, backend):
    """Revoking answers 200 with an empty body, twice and for unknown tokens too; then userInfo refuses."""
    tokens = await tokens_for(backend, http)
    answers = [
        await http.post("/oauth2/revoke", data={"token": token}, headers=basic(WEB))
        for token in (tokens["refresh_token"], tokens["refresh_token"], "unknown")
    ]
    after = await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert [(a.status_code, a.content) for a in answers] == [(200, b"")] * 3
    assert answers[0].headers["access-control-allow-origin"] == "*"
    assert after.status_code == 401


@pytest.mark.parametrize(
    ("form", "headers", "status", "error"),
    [
        ({}, basic(WEB), 400, "invalid_request"),
        ({"token": "a.b.c"}, basic(WEB), 400, "unsupported_token_type"),
        ({"token": "x", "client_id": "nobody"}, {}, 401, "invalid_client"),
        ({"token": "x", "client_id": WEB.client_id}, {}, 401, "invalid_client"),
        ({"token": "x"}, {}, 400, "invalid_request"),
    ],
)
async def test_revoke_errors(http, form, headers, status, error):
    """Only here an unknown client gets 401, as Amazon documents it."""
    answer = await http.post(
        "/oauth2/revoke", content=str(httpx.QueryParams(form)), headers={"Content-Type": ENCODED, **headers}
    )

    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/userInfo", "/oauth2/revoke"])
async def test_preflight(http, path):
    """Browsers of any origin may call the three endpoints; no credentials are allowed."""
    headers = {"Origin": "https://spa.test", "Access-Control-Request-Method": "POST"}
    answer = await http.options(path, headers=headers)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_paths_are_case_sensitive(http):
    """`userInfo` is spelt as Amazon spells it."""
    assert (await http.get("/oauth2/userinfo")).status_code == 404


async def test_claims_are_cognitos(http, backend):
    """The claim sets of both tokens are exactly those of Cognito for an OAuth sign-in."""
    tokens = await tokens_for(backend, http, scopes=("openid", "email", "profile", "api/read"))
    identity, access = (
        jwt.decode(tokens[name], options={"verify_signature": False}) for name in ("id_token", "access_token")
    )
    user = await ada(backend)

    assert set(identity) == {
        "sub", "at_hash", "cognito:groups", "email_verified", "iss", "cognito:username", "nonce", "origin_jti", "aud",
        "event_id", "token_use", "auth_time", "exp", "iat", "jti", "email", "given_name", "name",
    }  # fmt: skip
    assert set(access) == {
        "sub", "cognito:groups", "iss", "version", "client_id", "origin_jti", "event_id", "token_use", "scope",
        "auth_time", "exp", "iat", "jti", "username",
    }  # fmt: skip
    assert identity["email_verified"] is True
    assert (identity["aud"], identity["token_use"], access["token_use"]) == (WEB.client_id, "id", "access")
    assert (access["client_id"], access["version"]) == (WEB.client_id, 2)
    assert identity["cognito:groups"] == access["cognito:groups"] == ["admins", "readers"]
    assert (identity["cognito:username"], access["username"]) == (user.username, user.username)
    assert (access["scope"], access["exp"] - access["iat"]) == ("openid email profile api/read", 3600)


async def test_resource_becomes_the_audience(backend):
    """`resource` of the authorization request is the access token's `aud`, and stays on refresh."""
    code = await issue_code(
        backend, WEB, await ada(backend), redirect_uri=CALLBACK, scopes=("openid",), nonce=None, code_challenge=None,
        auth_time=NOW, now=NOW, resource="https://api.example.com",
    )  # fmt: skip
    first = await backend.grants.redeem(WEB, code=code, redirect_uri=CALLBACK, code_verifier=None, now=NOW)
    second = await backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)

    for answer in (first, second):
        claims = jwt.decode(answer.access_token, options={"verify_signature": False})
        assert claims["aud"] == "https://api.example.com"
        assert (await backend.grants.user_info(answer.access_token, NOW))["email"] == "ada@example.com"


async def test_client_lifetimes(tmp_path, clock):
    """`expires_in` and `exp` follow the client's own validities."""
    client = replace(WEB, access_token_validity=300, id_token_validity=600)
    async with opened(options_for(tmp_path, clients=(client,)), clock) as backend, client_of(backend) as http:
        tokens = await tokens_for(backend, http)

    assert tokens["expires_in"] == 300
    ends = [
        jwt.decode(tokens[name], options={"verify_signature": False})["exp"] for name in ("access_token", "id_token")
    ]
    assert ends == [NOW + 300, NOW + 600]


async def test_a_short_verifier_is_accepted_and_said_so(http, backend, caplog):
    """Cognito's own clients send verifiers of 36 characters: accepted, with one INFO line that has no secret in it."""
    caplog.set_level("INFO", "gateway.pool")
    verifier = "abcdefghijklmnopqrstuvwxyz-012345_~."
    code = await code_for(backend, verifier=verifier)
    answer = await http.post("/oauth2/token", data=form_for(code, code_verifier=verifier), headers=basic(WEB))

    assert answer.status_code == 200
    assert [record.getMessage() for record in caplog.records] == [
        f"client {WEB.client_id}: its PKCE verifier has 36 characters, RFC 7636 §4.1 asks for 43 at least"
    ]


async def test_a_standard_verifier_is_not_remarkable(http, backend, caplog):
    """A verifier of 43 characters leaves no line in the log."""
    caplog.set_level("INFO", "gateway.pool")
    assert "access_token" in await tokens_for(backend, http)
    assert caplog.records == []


async def test_tokens_of_one_event_name_it_alike(http, backend):
    """The tokens of one sign-in share one `event_id`, also after a refresh; `jti` is each one's own."""
    tokens = await tokens_for(backend, http)
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    again = (await http.post("/oauth2/token", data=form, headers=basic(WEB))).json()
    other = await tokens_for(backend, http)
    names = ("id_token", "access_token")
    claims = [jwt.decode(t[n], options={"verify_signature": False}) for t in (tokens, again, other) for n in names]

    assert len({one["event_id"] for one in claims[:4]}) == len({one["event_id"] for one in claims[4:]}) == 1
    assert claims[0]["event_id"] != claims[4]["event_id"]
    assert len({one["jti"] for one in claims}) == 6


async def test_roles_are_in_id_tokens_only(tmp_path, clock):
    """An access token has the groups, the ID token also their roles (reference §2.1, §2.2)."""
    groups = (Group(name="admins", precedence=1, role_arn="arn:aws:iam::111122223333:role/a"), Group(name="readers"))
    async with opened(options_for(tmp_path, groups=groups), clock) as backend, client_of(backend) as http:
        tokens = await tokens_for(backend, http)
    identity, access = (
        jwt.decode(tokens[name], options={"verify_signature": False}) for name in ("id_token", "access_token")
    )

    assert {name for name in identity if name.startswith("cognito:")} == {
        "cognito:groups", "cognito:roles", "cognito:preferred_role", "cognito:username",
    }  # fmt: skip
    assert {name for name in access if name.startswith("cognito:")} == {"cognito:groups"}


async def test_a_client_without_revocation_has_no_origin(tmp_path, clock):
    """`origin_jti` comes with token revocation (reference §2.6); userInfo knows an ended family without it."""
    client = replace(WEB, enable_token_revocation=False)
    async with opened(options_for(tmp_path, clients=(client,)), clock) as backend, client_of(backend) as http:
        tokens = await tokens_for(backend, http, client=client)
        header = {"Authorization": f"Bearer {tokens['access_token']}"}
        before = await http.get("/oauth2/userInfo", headers=header)
        await change_user(backend.storage, (await ada(backend)).sub, credential_version=2)
        after = await http.get("/oauth2/userInfo", headers=header)

    for name in ("id_token", "access_token"):
        assert "origin_jti" not in jwt.decode(tokens[name], options={"verify_signature": False})
    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_client_that_may_read_little_signs_in(tmp_path, clock):
    """The read attributes of the reference file: the scope `profile` stands for what of it the client may read."""
    scopes = ("openid", "email", "profile")
    client = replace(WEB, read_attributes=frozenset({"email", "email_verified", "name"}), allowed_scopes=scopes)
    async with opened(options_for(tmp_path, clients=(client,)), clock) as backend, client_of(backend) as http:
        tokens = await tokens_for(backend, http, client=client, scopes=scopes)
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})

    assert {"email", "email_verified", "name"} <= claims.keys()
    assert "given_name" not in claims


async def test_custom_attributes_are_stored_with_their_prefix(tmp_path, clock):
    """A custom attribute is `custom:team` in the storage, in the ID token and in userInfo, as at Cognito."""
    client = replace(WEB, read_attributes=frozenset({"email", "email_verified", "team"}), allowed_scopes=("openid",))
    seed = SeedUser(username="ada@example.com", password=Secret(PASSWORD), attributes={"team": "engines"})
    options = options_for(tmp_path, clients=(client,), custom_attributes=("team",), seed_users=(seed,))
    async with opened(options, clock) as backend, client_of(backend) as http:
        tokens = await tokens_for(backend, http, client=options.clients[0], scopes=("openid",))
        info = await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        stored = (await ada(backend)).attributes
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})

    assert [found.get("custom:team") for found in (stored, claims, info.json())] == ["engines"] * 3
    assert all("team" not in found for found in (stored, claims, info.json()))


@pytest.mark.parametrize("letter", ["g", "\u0434", "\U00020bb7"], ids=["ascii", "cyrillic", "four bytes"])
async def test_a_user_in_a_hundred_groups_has_user_info(tmp_path, clock, letter):
    """The longest access token that Cognito's quotas allow (100 groups of 128 characters) opens userInfo, over HTTP."""
    groups = tuple(letter * 125 + f"{number:03}" for number in range(100))
    seed = SeedUser(username="ada@example.com", password=Secret(PASSWORD), groups=groups)
    options = options_for(tmp_path, seed_users=(seed,), groups=tuple(Group(name=name) for name in groups))
    async with opened(options, clock) as backend, client_of(backend) as http:
        tokens = await tokens_for(backend, http)
        claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
        app = Starlette(routes=routes(backend))
        async with running(app, limits=POOL_LIMITS) as server, httpx.AsyncClient(base_url=server.url) as real:
            info = await real.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})

    assert claims["cognito:groups"] == sorted(groups)
    assert (info.status_code, info.json().get("email")) == (200, "ada@example.com")


async def test_tokens_are_written_in_utf8(http, backend):
    """Text that is not ASCII takes its own bytes in a token, not six for each character."""
    user = await ada(backend)
    await change_user(backend.storage, user.sub, attributes={**user.attributes, "name": "Åda"})
    tokens = await tokens_for(backend, http, scopes=("openid", "profile"))
    payload = base64.urlsafe_b64decode(tokens["id_token"].split(".")[1] + "==")

    assert "Åda".encode() in payload
