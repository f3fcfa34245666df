"""The provider as the gateway uses it, against a fake that signs real tokens."""

import asyncio
import base64
import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import respx

from gateway.core.oidc import RESERVED_PARAMETERS, pkce_challenge
from gateway.errors import BadToken, ProviderRefused, ProviderUnavailable, TokenExpired
from gateway.provider.client import WARM_DELAYS, Provider
from gateway.provider.options import ProviderOptions
from tests.support.fake_provider import ORIGIN, POOL_ID, FakeProvider, Ticker, cognito_options, oidc_options
from tests.support.tokens import (
    CLIENT_ID,
    ISSUER,
    LIFETIME,
    NOW,
    SUB,
    access_claims,
    id_claims,
    jwk,
    jwks,
    kid_of,
    sign,
)

CALLBACK = "https://app.test/oauth2/callback"
VERIFIER = "v" * 43
JWKS_PATH = f"/{POOL_ID}/.well-known/jwks.json"
DISCOVERY_PATH = f"/{POOL_ID}/.well-known/openid-configuration"
CLIENTS = frozenset({CLIENT_ID})
AUDIENCES = frozenset({"https://app.test", "https://app.test/"})


class Party:
    """The provider under test, with the fake behind it."""

    def __init__(self, options: ProviderOptions | None = None, **fake) -> None:
        self.fake = FakeProvider(**fake)
        self.clock = Ticker()
        self.pauses: list[float] = []
        self.provider = Provider(options or cognito_options(), self.fake.client(), self.clock, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.now += seconds
        if len(self.pauses) == 10:
            self.fake.down = False

    async def authorize(self, **changes) -> str:
        given = {
            "redirect_uri": CALLBACK,
            "state": "sealed",
            "nonce": "n-1",
            "code_challenge": pkce_challenge(VERIFIER),
        }
        return await self.provider.authorize_url(**{**given, **changes})

    async def sign_in(self, **changes):
        code = self.fake.authorize(await self.authorize())
        given = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER, "nonce": "n-1", "now": NOW}
        return await self.provider.exchange(**{**given, **changes})


@pytest.fixture(params=["cognito", "oidc"])
def party(request) -> Party:
    """Both presets: Cognito as a confidential client, a generic provider as a public one."""
    return Party({"cognito": cognito_options, "oidc": oidc_options}[request.param]())


async def test_a_code_gives_verified_tokens(party):
    """The whole exchange: authorize address, code, PKCE, client authentication, both tokens verified."""
    tokens = await party.sign_in()
    assert tokens.claims is not None
    assert (tokens.claims["sub"], tokens.claims["email"]) == (SUB, "ada@example.com")
    assert tokens.access_expires_at == NOW + LIFETIME
    assert tokens.token_set.refresh_token in party.fake.refresh_tokens
    assert (tokens.token_set.id_token or "").startswith("ey")
    assert (tokens.token_set.access_token or "").startswith("ey")


async def test_the_authorize_address(party):
    """PKCE S256, `state` and `nonce` are always sent, whether or not discovery speaks of them."""
    url = await party.authorize()
    assert url.startswith(f"{ORIGIN}/oauth2/authorize?")
    query = dict(parse_qsl(urlsplit(url).query))
    assert query["scope"].split()[0] == "openid"
    assert {**query, "scope": ""} == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "",
        "state": "sealed",
        "nonce": "n-1",
        "code_challenge": pkce_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }


async def test_extra_parameters_add_and_never_override():
    """D10: a visitor's extra parameters change neither ours nor the operator's."""
    party = Party(cognito_options(extra_authorize_params={"identity_provider": "Corp"}))
    extra = {**dict.fromkeys(RESERVED_PARAMETERS, "evil"), "identity_provider": "evil", "lang": "de"}
    plain, more = await party.authorize(), await party.authorize(extra=extra)
    assert dict(parse_qsl(urlsplit(more).query)) == {**dict(parse_qsl(urlsplit(plain).query)), "lang": "de"}


async def test_cognito_needs_no_discovery():
    """The preset knows every address: the browser is sent on while the provider's documents cannot be had."""
    party = Party(down=True)
    assert await party.authorize()
    assert not party.fake.calls


async def test_a_code_counts_once(party):
    """D15: the provider refuses a code that was used, and the refusal carries its error code."""
    code = party.fake.authorize(await party.authorize())
    await party.sign_in(code=code)
    with pytest.raises(ProviderRefused) as refusal:
        await party.sign_in(code=code)
    assert refusal.value.error == "invalid_grant"


@pytest.mark.parametrize("change", [{"code_verifier": "w" * 43}, {"redirect_uri": "https://evil.example/cb"}])
async def test_a_code_of_another_flow_is_refused(party, change):
    """R1, from our side: the verifier and the redirect address travel with the code."""
    with pytest.raises(ProviderRefused):
        await party.sign_in(**change)


async def test_the_nonce_of_another_flow_is_refused(party):
    """D15: a code that somebody else's sign-in produced brings another nonce."""
    with pytest.raises(BadToken):
        await party.sign_in(nonce="n-2")


BAD_ID_TOKENS = [
    {"iss": ISSUER + "X"},
    {"aud": "other"},
    {"aud": 7},
    {"exp": NOW - 60},
    {"exp": 1e300},
    {"token_use": "access"},
    {"at_hash": "other"},
    {"sub": None},
    {"nonce": "another"},
    {"nonce": None},
]


@pytest.mark.parametrize("changes", BAD_ID_TOKENS)
async def test_an_id_token_that_does_not_verify_signs_nobody_in(party, changes):
    """D1-D3, Q9, C18: what the token endpoint says is verified like anything else."""
    party.fake.id_changes = changes
    with pytest.raises(BadToken):
        await party.sign_in()


async def test_no_id_token_signs_nobody_in(party):
    """A code without an ID token is no identity."""
    party.fake.answer_changes = {"id_token": None}
    with pytest.raises(BadToken):
        await party.sign_in()


@pytest.mark.parametrize("changes", [{"sub": "another"}, {"client_id": "other"}, {"token_use": "id"}, {"iss": "x"}])
async def test_cognitos_access_token_must_agree(changes):
    """C16, D2: at Cognito the access token is verified too, and is of the same user, client and pool."""
    party = Party(access_changes=changes)
    with pytest.raises(BadToken):
        await party.sign_in()


async def test_tokens_signed_by_a_stranger(party):
    """D2: another pool's keys, known to nobody here, sign nobody in."""
    party.fake.keys = ("stranger", "stranger")
    with pytest.raises(BadToken):
        await party.sign_in()


async def test_a_refresh_keeps_the_refresh_token(party):
    """Where the provider does not rotate, the answer has no refresh token, and the one sent stays good."""
    used = (await party.sign_in()).token_set.refresh_token
    party.fake.now = NOW + 3000
    party.fake.id_changes = {"cognito:groups": None}
    tokens = await party.provider.refresh(used, NOW + 3000)
    assert tokens.token_set.refresh_token == used
    assert tokens.access_expires_at == NOW + 3000 + LIFETIME
    assert tokens.claims is not None
    assert "cognito:groups" not in tokens.claims


async def test_a_refresh_takes_the_new_refresh_token(party):
    """Where it rotates, the new one replaces the old, which is then refused for good."""
    party.fake.rotate_refresh_tokens = True
    used = (await party.sign_in()).token_set.refresh_token
    tokens = await party.provider.refresh(used, NOW)
    assert tokens.token_set.refresh_token not in {None, used}
    with pytest.raises(ProviderRefused) as refusal:
        await party.provider.refresh(used, NOW)
    assert refusal.value.error == "invalid_grant"


async def test_a_refresh_may_bring_no_id_token(party):
    """OpenID Connect Core §12.2: then there are no new claims, and the old ones stand."""
    used = (await party.sign_in()).token_set.refresh_token
    party.fake.answer_changes = {"id_token": None}
    tokens = await party.provider.refresh(used, NOW)
    assert (tokens.claims, tokens.token_set.id_token) == (None, None)
    assert tokens.access_expires_at == NOW + LIFETIME


async def test_a_refresh_verifies_what_it_brings(party):
    """C16, D16: a refreshed ID token of another issuer or client is refused, one with a strange nonce is not (D11)."""
    used = (await party.sign_in()).token_set.refresh_token
    party.fake.id_changes = {"nonce": "Cognito's own"}
    assert (await party.provider.refresh(used, NOW)).claims
    party.fake.id_changes = {"aud": "other"}
    with pytest.raises(BadToken):
        await party.provider.refresh(used, NOW)


async def test_the_lifetime_when_the_answer_is_silent():
    """Without `expires_in`: the ID token's end; without that too: a time so short that a refresh soon settles it."""
    party = Party(oidc_options(), answer_changes={"expires_in": None}, id_changes={"exp": NOW + 777})
    tokens = await party.sign_in()
    assert tokens.access_expires_at == NOW + 777
    party.fake.answer_changes["id_token"] = None
    assert (await party.provider.refresh(tokens.token_set.refresh_token or "", NOW)).access_expires_at == NOW + 300


async def test_a_code_is_not_spent_while_keys_are_missing(party):
    """Neither a code nor a rotating refresh token is sent before there are keys to verify the answer with."""
    code = party.fake.authorize(await party.authorize())
    party.fake.published = ()
    with pytest.raises(ProviderUnavailable):
        await party.sign_in(code=code)
    with pytest.raises(ProviderUnavailable):
        await party.provider.refresh("refresh", NOW)
    assert party.fake.calls["/oauth2/token"] == 0
    party.fake.published = ("id", "access")
    party.clock.now += 10
    assert (await party.sign_in(code=code)).claims


async def test_a_provider_that_is_down_is_unavailable(party):
    """While the provider is down, what needs it raises the passing error, and what is best effort raises nothing."""
    used = (await party.sign_in()).token_set.refresh_token
    party.fake.down = True
    for call in (
        party.provider.refresh(used, NOW),
        party.provider.exchange(code="c", redirect_uri=CALLBACK, code_verifier=VERIFIER, nonce="n", now=NOW),
        party.provider.userinfo("ey", SUB),
    ):
        with pytest.raises(ProviderUnavailable):
            await call
    await party.provider.revoke(used)
    assert await party.provider.sign_out_url(return_uri="https://app.test/")


async def test_bearers_are_served_by_stale_keys(party):
    """Keys in hand serve as long as the provider is away, however old they are."""
    await party.provider.warm()
    party.fake.down = True
    token = sign(access_claims(exp=NOW + 500_000), "access", typ="at+jwt")
    for hour in range(1, 100, 7):
        party.clock.now = NOW + hour * 3600
        assert (await party.provider.verify_bearer(token, NOW + hour * 3600, CLIENTS, AUDIENCES))["sub"] == SUB


async def test_a_new_key_is_found(party):
    """After a rotation the unknown `kid` brings the new keys, at once."""
    await party.provider.warm()
    party.fake.published = party.fake.keys = ("id-2", "access-2")
    party.clock.now += 60
    assert (await party.sign_in()).claims


class SameKid:
    """A provider whose keys all have one `kid`, or none; `key` is the one in use."""

    def __init__(self, kid: str | None) -> None:
        self.kid = kid
        self.key = "access"
        self.fetches = 0
        self.down = False
        self.clock = Ticker()
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        self.provider = Provider(cognito_options(), http, self.clock)

    def token(self, key: str | None = None) -> str:
        return sign(access_claims(), key or self.key, kid=self.kid)

    async def bearer(self, key: str | None = None):
        return await self.provider.verify_bearer(self.token(key), NOW, CLIENTS, AUDIENCES)

    async def refresh(self):
        return await self.provider.refresh("refresh", NOW)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            tokens = {"id_token": sign(id_claims(), self.key, kid=self.kid), "access_token": self.token()}
            return httpx.Response(200, json={**tokens, "token_type": "Bearer"})
        self.fetches += 1
        if self.down:
            raise httpx.ConnectError("down")
        entry = {**jwk(self.key), "kid": self.kid}
        return httpx.Response(200, json={"keys": [{name: value for name, value in entry.items() if value}]})


@pytest.fixture(params=["the-key", None])
async def same_kid(request) -> SameKid:
    party = SameKid(request.param)
    await party.bearer()
    party.key = "access-2"
    return party


async def test_a_new_key_under_an_old_kid_is_found(same_kid):
    """W3: a signature that fails brings the keys once: nobody is locked out by a rotation that kept its `kid`."""
    same_kid.clock.now += 10
    assert (await same_kid.bearer())["sub"] == SUB
    assert same_kid.fetches == 2
    with pytest.raises(BadToken):
        await same_kid.bearer("access")  # the old key is withdrawn


async def test_a_flood_of_bad_signatures_makes_one_fetch_in_ten_seconds(same_kid):
    """W3: forged tokens under a known `kid` cost the provider one fetch in ten seconds, and are refused."""
    for _ in range(3):
        same_kid.clock.now += 9.9
        for _ in range(50):
            with pytest.raises(BadToken):
                await same_kid.bearer("stranger")
    assert same_kid.fetches == 2  # the first one, and one after 19.8 s


async def test_strangers_do_not_use_up_the_fetches_of_sign_in_and_refresh(same_kid):
    """W3: a bearer token that no key fits has just spent its fetch; a refresh finds the new key all the same."""
    same_kid.key = "access"
    same_kid.clock.now += 10
    with pytest.raises(BadToken):
        await same_kid.bearer("stranger")
    same_kid.key = "access-2"
    assert (await same_kid.refresh()).claims["sub"] == SUB
    assert same_kid.fetches == 3
    same_kid.key = "access-3"
    with pytest.raises(BadToken):  # this path has a budget too
        await same_kid.refresh()
    assert same_kid.fetches == 3


async def test_strangers_do_not_use_up_the_first_fetch_either():
    """W3: while no keys are held, a bearer's failed attempt a moment ago does not keep a refresh from trying."""
    party = SameKid("the-key")
    party.down = True
    with pytest.raises(ProviderUnavailable):
        await party.bearer()
    party.down = False
    with pytest.raises(ProviderUnavailable):
        await party.bearer()
    assert (await party.refresh()).claims["sub"] == SUB


async def test_a_new_key_that_cannot_be_fetched(same_kid):
    """A token of the token endpoint that no held key fits is undecided while the keys cannot be had; a stranger's is
    refused."""
    same_kid.down = True
    same_kid.clock.now += 10
    with pytest.raises(ProviderUnavailable):
        await same_kid.refresh()
    with pytest.raises(BadToken):
        await same_kid.bearer()


async def test_keys_in_use_are_another_object_only_when_they_changed():
    """What was judged by the keys in use can be kept while they are; an hour later they are looked for again."""
    party = SameKid("the-key")
    assert party.provider.keys_in_use() is None
    await party.bearer()
    first = party.provider.keys_in_use()
    for key, same in (("access", True), ("access-2", False)):
        party.key = key
        party.clock.now += 3600
        assert party.provider.keys_in_use() is first  # fetched behind
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await party.provider._keys.fetch()
        assert (party.provider.keys_in_use() is first) is same


BAD_BEARERS = {
    "random": lambda: "hello",
    "empty": lambda: "",
    "expired": lambda: sign(access_claims(exp=NOW - 60), "access", typ="at+jwt"),
    "of another pool": lambda: sign(access_claims(iss=ISSUER + "2"), "access", typ="at+jwt"),
    "of another client": lambda: sign(access_claims(client_id="other"), "access", typ="at+jwt"),
    "an ID token": lambda: sign(id_claims()),
    "an ID token with a client_id": lambda: sign(id_claims(client_id=CLIENT_ID), typ="at+jwt"),
    "alg none": lambda: ".".join([*_unsigned("none"), ""]),
    "alg none, with a signature": lambda: ".".join([*_unsigned("none"), "AAAA"]),
    "HS256 with the public key": lambda: ".".join([*_unsigned("HS256"), "AAAA"]),
    "signed by a stranger": lambda: sign(access_claims(), "stranger", kid=kid_of("access"), typ="at+jwt"),
    "no aud, no client": lambda: sign(access_claims(client_id=None), "access", typ="at+jwt"),
    "aud a number": lambda: sign(access_claims(aud=7), "access", typ="at+jwt"),
}


def _unsigned(alg: str) -> list[str]:
    parts = [{"alg": alg, "kid": kid_of("access"), "typ": "at+jwt"}, access_claims()]
    return [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]


@pytest.mark.parametrize("make", BAD_BEARERS.values(), ids=BAD_BEARERS.keys())
async def test_a_bearer_that_is_not_good(party, make):
    """D1, D2, D3, Q9: a token being there is not enough; expired ones alone are told apart."""
    with pytest.raises(BadToken) as refusal:
        await party.provider.verify_bearer(make(), NOW, CLIENTS, AUDIENCES)
    assert (refusal.type is TokenExpired) is (make is BAD_BEARERS["expired"])


async def test_the_audience_of_our_own_access_token_is_not_ours_to_judge():
    """A sign-in may ask for a token of another service (RFC 8707: `authorize_params: {resource: …}`), to be carried to
    the upstream: it identifies nobody here."""
    party = Party(access_changes={"aud": "https://payroll.example/api"})
    tokens = await party.sign_in()
    assert tokens.claims
    with pytest.raises(BadToken):
        await party.provider.verify_bearer(tokens.token_set.access_token or "", NOW, CLIENTS, AUDIENCES)


async def test_no_verdict_is_remembered(party):
    """D4: the same token is judged anew for other clients and at a later time."""
    token = sign(access_claims(), "access", typ="at+jwt")
    assert (await party.provider.verify_bearer(token, NOW, CLIENTS, AUDIENCES))["username"] == "ada"
    with pytest.raises(BadToken):
        await party.provider.verify_bearer(token, NOW, frozenset({"other"}), AUDIENCES)
    with pytest.raises(TokenExpired):
        await party.provider.verify_bearer(token, NOW + LIFETIME + 5, CLIENTS, AUDIENCES)
    assert await party.provider.verify_bearer(token, NOW, CLIENTS, AUDIENCES)


async def test_a_flood_of_unknown_kids_makes_one_fetch_in_ten_seconds(party):
    """D7, Q10: 200 tokens with made-up key ids, in parallel and in a row, are one fetch per ten seconds."""
    await party.provider.warm()
    party.clock.now += 60
    before = party.fake.calls[JWKS_PATH]

    async def knock(number: int) -> None:
        with pytest.raises(BadToken):
            await party.provider.verify_bearer(
                sign(access_claims(), "access", kid=f"k{number}"), NOW, CLIENTS, AUDIENCES
            )

    for _ in range(5):
        await asyncio.gather(*map(knock, range(40)))
        party.clock.now += 1.9
    assert party.fake.calls[JWKS_PATH] - before == 1
    party.clock.now += 1
    await knock(0)
    assert party.fake.calls[JWKS_PATH] - before == 2


async def test_a_bearer_whose_key_cannot_be_fetched(party):
    """An unknown key while the provider is down may be a new one: unavailable, not refused, and never accepted."""
    await party.provider.warm()
    party.clock.now += 60
    party.fake.down = True
    with pytest.raises(ProviderUnavailable):
        await party.provider.verify_bearer(sign(access_claims(), "access-2"), NOW, CLIENTS, AUDIENCES)


async def test_userinfo(party):
    """The claims of the same user, as the provider writes them."""
    access = (await party.sign_in()).token_set.access_token
    assert (await party.provider.userinfo(access, SUB))["username"] == "ada"
    with pytest.raises(BadToken):
        await party.provider.userinfo(access, "another")
    with pytest.raises(ProviderRefused):
        await party.provider.userinfo("opaque", SUB)


async def test_revoking(party):
    """A revoked refresh token is refused from then on; revoking it again is no error."""
    used = (await party.sign_in()).token_set.refresh_token
    for _ in range(2):
        await party.provider.revoke(used)
    with pytest.raises(ProviderRefused):
        await party.provider.refresh(used, NOW)


async def test_revoking_where_there_is_no_such_endpoint():
    """A provider without a revocation endpoint is left alone."""
    party = Party(oidc_options(), metadata_changes={"revocation_endpoint": None})
    await party.provider.revoke("refresh")
    assert set(party.fake.calls) == {DISCOVERY_PATH}


async def test_signing_out_at_cognito():
    """Cognito's form of sign-out, known without discovery, and without a token in the address (Q7)."""
    url = await Party(down=True).provider.sign_out_url(return_uri="https://app.test/")
    assert url == f"{ORIGIN}/logout?client_id={CLIENT_ID}&logout_uri=https%3A%2F%2Fapp.test%2F"


async def test_signing_out_elsewhere():
    """RP-initiated logout where the provider has it; None where it has not, is down, or is not to be visited."""
    party = Party(oidc_options())
    url = await party.provider.sign_out_url(return_uri="https://app.test/")
    assert url == f"{ORIGIN}/logout?client_id={CLIENT_ID}&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F"
    without = Party(oidc_options(), metadata_changes={"end_session_endpoint": None})
    assert await without.provider.sign_out_url(return_uri="https://app.test/") is None
    assert await Party(oidc_options(), down=True).provider.sign_out_url(return_uri="https://app.test/") is None
    local = Party(replace(oidc_options(), logout_style="none"))
    assert await local.provider.sign_out_url(return_uri="https://app.test/") is None
    assert not local.fake.calls


async def test_warming_waits_for_the_provider(party):
    """The gateway starts while the provider is down: each second at first, then more slowly, until all is there."""
    party.fake.down = True
    assert not party.provider.ready
    await party.provider.warm()
    assert party.provider.ready
    assert party.pauses == [*WARM_DELAYS, WARM_DELAYS[-1], WARM_DELAYS[-1]]


async def test_a_client_secret_that_is_wrong():
    """A wrong secret is the provider's `invalid_client`, at the exchange and at the refresh."""
    party = Party(replace(cognito_options(), client_authentication="basic"))
    for attempt in (party.sign_in(), party.provider.refresh("refresh", NOW)):
        with pytest.raises(ProviderRefused, match="invalid_client"):
            await attempt


async def test_a_provider_that_takes_the_secret_only_in_the_form():
    """Discovery decides how a confidential client shows its secret."""
    options = oidc_options(client_secret=cognito_options().client_secret)
    party = Party(options, metadata_changes={"token_endpoint_auth_methods_supported": ["client_secret_post"]})
    assert (await party.sign_in()).claims


async def test_a_revocation_that_hangs_is_given_up(monkeypatch):
    """Revoking is bounded: a provider that never answers does not hold a sign-out."""

    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("gateway.provider.client.REVOKE_SECONDS", 0.01)
    http = httpx.AsyncClient(transport=httpx.MockTransport(hang))
    async with asyncio.timeout(5):
        await Provider(cognito_options(), http, Ticker()).revoke("refresh")


RARE = {
    "a page of a WAF": httpx.Response(403, html="<h1>Blocked</h1>"),
    "throttled": httpx.Response(400, json={"error": "invalid_request", "error_description": "Rate exceeded"}),
    "throttled properly": httpx.Response(429),
    "an internal error": httpx.Response(500, json={"error": "invalid_grant"}),
    "a redirect": httpx.Response(302, headers={"location": "https://evil.example/token"}),
    "HTML": httpx.Response(200, html="<h1>Welcome</h1>"),
    "an array": httpx.Response(200, json=[]),
    "half an answer": httpx.Response(200, content=b'{"access_token": "ey'),
    "10 MB": httpx.Response(200, content=b" " * 10_000_000),
    "nothing": httpx.Response(200),
    "compressed": httpx.Response(200, headers={"content-encoding": "br"}, content=b"{}"),
}


@pytest.mark.parametrize("answer", RARE.values(), ids=RARE.keys())
@respx.mock(assert_all_called=False)
async def test_rare_answers_of_the_token_endpoint(respx_mock, answer):
    """D8: each of these is unavailable at code, refresh and userInfo, and signs nobody out; no redirect is followed."""
    respx_mock.get(path=JWKS_PATH).respond(content=jwks("id", "access"))
    respx_mock.post(f"{ORIGIN}/oauth2/token").mock(return_value=answer)
    respx_mock.get(f"{ORIGIN}/oauth2/userInfo").mock(return_value=answer)
    respx_mock.post(f"{ORIGIN}/oauth2/revoke").mock(return_value=answer)
    elsewhere = respx_mock.route(host="evil.example").respond(200, json={})
    async with httpx.AsyncClient(follow_redirects=True) as http:
        provider = Provider(cognito_options(), http, Ticker())
        for call in (
            provider.exchange(code="c", redirect_uri=CALLBACK, code_verifier=VERIFIER, nonce="n", now=NOW),
            provider.refresh("refresh", NOW),
            provider.userinfo("ey", SUB),
        ):
            with pytest.raises(ProviderUnavailable):
                await call
        await provider.revoke("refresh")
    assert not elsewhere.called


@pytest.mark.parametrize(
    "error", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError, httpx.PoolTimeout]
)
@respx.mock
async def test_the_network_fails(respx_mock, error):
    """H4: every failure of the network is unavailable, and its message holds no code, token or secret."""
    respx_mock.get(path=JWKS_PATH).respond(content=jwks("id", "access"))
    respx_mock.post(f"{ORIGIN}/oauth2/token").mock(side_effect=error)
    async with httpx.AsyncClient() as http:
        provider = Provider(cognito_options(), http, Ticker())
        with pytest.raises(ProviderUnavailable) as failure:
            await provider.exchange(code="hush", redirect_uri=CALLBACK, code_verifier=VERIFIER, nonce="n", now=NOW)
    said = f"{error.__name__} (Mock Error)" if error is httpx.ConnectError else error.__name__
    assert str(failure.value) == f"{said} at {ORIGIN}/oauth2/token"


async def test_nothing_secret_prints(party):
    """H4: tokens are in no repr of what an exchange gives."""
    tokens = await party.sign_in()
    secret = [tokens.token_set.id_token, tokens.token_set.access_token, tokens.token_set.refresh_token]
    assert not any(token in repr(tokens) + repr(party.provider.options) for token in secret if token)
    assert "client+secret" not in repr(cognito_options())


WANTED = frozenset({"sub", "username"})


async def test_what_the_id_token_lacks_is_asked_for_at_userinfo():
    """OpenID Connect Core §5.4: a claim that only userInfo gives is there after a sign-in and after a refresh; what the
    ID token says itself stays as it is."""
    party = Party(replace(oidc_options(), wanted_claims=WANTED))

    tokens = await party.sign_in()
    fresh = await party.provider.refresh(tokens.token_set.refresh_token or "", NOW)

    for claims in (tokens.claims, fresh.claims):
        assert claims is not None
        assert (claims["username"], claims["email_verified"]) == ("ada", True)
    assert party.fake.calls["/oauth2/userInfo"] == 2


UNVERIFIED = [{"email_verified": False}, {"email_verified": "false"}, {"email_verified": None}]


@pytest.mark.parametrize("changes", UNVERIFIED)
async def test_an_address_that_cognito_does_not_call_verified_stays_out(changes):
    """W2: sign-in, refresh and bearer alike: where Cognito denies it or says nothing, a user has no address."""
    party = Party(cognito_options(), id_changes=changes)
    tokens = await party.sign_in()
    fresh = await party.provider.refresh(tokens.token_set.refresh_token or "", NOW)
    token = sign(access_claims(email="ceo@example.com", **changes), "access")
    program = await party.provider.verify_bearer(token, NOW, CLIENTS, AUDIENCES)
    for claims in (tokens.claims, fresh.claims, program):
        assert claims is not None
        assert claims["sub"] == SUB
        assert "email" not in claims


async def test_a_word_on_another_address_does_not_count():
    """W2: userInfo's `email_verified` is not of the ID token's address, unless it names the same one."""
    options = replace(oidc_options(), wanted_claims=frozenset({"email", "email_verified"}), email="verified")
    party = Party(options, id_changes={"email_verified": None})
    tokens = await party.sign_in()
    assert party.fake.calls["/oauth2/userInfo"] == 1
    assert tokens.claims is not None
    assert "email" not in tokens.claims


async def test_the_first_address_left_out_is_one_warning(caplog):
    """It names the setting and the ways out, and no address; where no header wants the address, there is none."""
    options = cognito_options()
    for wanted, lines in ((frozenset({"email"}), 1), (frozenset({"sub"}), 0)):
        caplog.clear()
        party = Party(replace(options, wanted_claims=wanted), id_changes={"email_verified": "false"})
        await party.sign_in()
        await party.sign_in()
        warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert len(warnings) == lines
        assert all("provider.email is verified" in text and "@" not in text for text in warnings)


async def test_userinfo_is_not_asked_when_nothing_is_missing():
    """Cognito's ID token says what its userInfo says, and a complete ID token needs no second call."""
    complete = replace(oidc_options(), wanted_claims=frozenset({"sub", "email", "realm_access.roles"}))
    for options in (replace(cognito_options(), wanted_claims=WANTED), complete):
        party = Party(options, id_changes={"realm_access": {"roles": ["admins"]}})
        await party.sign_in()
        assert party.fake.calls["/oauth2/userInfo"] == 0


async def test_a_userinfo_that_is_down_signs_nobody_out():
    """A sign-in goes on without the claims; a refresh says nothing of them, so that the session keeps its own."""
    party = Party(replace(oidc_options(), wanted_claims=WANTED), userinfo_down=True)

    tokens = await party.sign_in()
    fresh = await party.provider.refresh(tokens.token_set.refresh_token or "", NOW)

    assert tokens.claims is not None
    assert "username" not in tokens.claims
    assert fresh.claims is None
    assert fresh.token_set.access_token


async def test_a_provider_without_userinfo_is_not_asked():
    """Where discovery names no userInfo endpoint, the ID token is all there is."""
    party = Party(replace(oidc_options(), wanted_claims=WANTED), metadata_changes={"userinfo_endpoint": None})

    tokens = await party.sign_in()

    assert tokens.claims is not None
    assert "username" not in tokens.claims
