"""Where the provider's endpoints are, and which documents are not believed."""

from dataclasses import replace

import httpx
import pytest
import respx

from gateway.errors import BadData, ProviderUnavailable
from gateway.provider.discovery import Discovery, read_metadata
from tests.support.fake_provider import FakeProvider, Ticker, cognito_options, oidc_options
from tests.support.tokens import ISSUER

# As Cognito served it in 2025-05: nothing is said of PKCE, and `end_session_endpoint` is not what it looks like.
COGNITO = {
    "authorization_endpoint": "https://d.example/oauth2/authorize",
    "end_session_endpoint": "https://d.example/logout",
    "id_token_signing_alg_values_supported": ["RS256"],
    "issuer": ISSUER,
    "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
    "response_types_supported": ["code", "token"],
    "revocation_endpoint": "https://d.example/oauth2/revoke",
    "scopes_supported": ["openid", "email", "phone", "profile"],
    "subject_types_supported": ["public"],
    "token_endpoint": "https://d.example/oauth2/token",
    "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    "userinfo_endpoint": "https://d.example/oauth2/userInfo",
}


def test_cognitos_document_is_read():
    """Cognito's document is enough, though it does not name PKCE."""
    metadata = read_metadata(COGNITO, ISSUER)
    assert metadata.endpoints["token_endpoint"] == "https://d.example/oauth2/token"
    assert len(metadata.endpoints) == 6
    assert metadata.authentication == "basic"


def test_what_a_provider_may_lack():
    """userInfo, revocation and end of session are optional."""
    small = {name: COGNITO[name] for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")}
    metadata = read_metadata(small, ISSUER)
    assert set(metadata.endpoints) == set(small) - {"issuer"}
    assert metadata.authentication == "basic"


@pytest.mark.parametrize(
    ("methods", "authentication"),
    [
        (["client_secret_post"], "post"),
        (["private_key_jwt", "client_secret_post"], "post"),
        (["client_secret_post", "client_secret_basic"], "basic"),
        ([], "basic"),
        ("client_secret_post", "basic"),
        (7, "basic"),
    ],
)
def test_how_the_client_shows_its_secret(methods, authentication):
    """Basic, unless the provider says that it takes the secret in the form alone."""
    document = {**COGNITO, "token_endpoint_auth_methods_supported": methods}
    assert read_metadata(document, ISSUER).authentication == authentication


@pytest.mark.parametrize(
    "issuer", [None, ISSUER + "/", ISSUER.replace("AbC123", "XyZ789"), [ISSUER], "", ISSUER.upper()]
)
def test_the_document_of_another_issuer(issuer):
    """D2: a document that names another issuer would let it speak for ours."""
    with pytest.raises(BadData):
        read_metadata({**COGNITO, "issuer": issuer}, ISSUER)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize(
    "url",
    [
        7,
        "",
        ["https://d.example/"],
        "//d.example/x",
        "/oauth2/token",
        "http://d.example/x",
        "javascript:alert(1)",
        "https://user@d.example/x",
        "https:///x",
        "https://d.example/x#y",
        "https://d.example/x y",
        "https://d.example\\@evil/x",
        "https://d.example/x\r\ny",
        "https://dé.example/",
        "https://[::1/x",
        "https://d.example:99999/x",
    ],
)
def test_addresses_that_are_not_used(name, url):
    """D8: an endpoint is an absolute https address and nothing else; an https issuer cannot send us to plain http."""
    with pytest.raises(BadData):
        read_metadata({**COGNITO, name: url}, ISSUER)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_endpoint_that_must_be_there(name):
    """Without the three that a sign-in needs, the document is of no use."""
    with pytest.raises(BadData):
        read_metadata({**COGNITO, name: None}, ISSUER)


def test_a_local_issuer_may_be_plain_http():
    """The local pool has http addresses, because its issuer has."""
    local = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), "http://localhost:8001/x")
    assert read_metadata({"issuer": "http://localhost:8001/p", **local}, "http://localhost:8001/p").endpoints


def discovery(fake: FakeProvider, clock: Ticker | None = None, **changes) -> Discovery:
    return Discovery(replace(oidc_options(), **changes), fake.client(), clock or Ticker())


async def test_the_document_is_fetched_once():
    """All endpoints come from one fetch, also an hour and more later while the provider is down."""
    fake, clock = FakeProvider(), Ticker()
    found = discovery(fake, clock)
    assert not found.ready
    assert await found.needed("token_endpoint") == "https://login.example/oauth2/token"
    assert await found.endpoint("end_session_endpoint") == "https://login.example/logout"
    assert (found.ready, sum(fake.calls.values())) == (True, 1)
    fake.down = True
    clock.now += 7200
    assert await found.authentication() == "basic"


async def test_the_options_come_first():
    """An address in the options overrides the document's, and needs no document."""
    fake = FakeProvider(down=True)
    found = discovery(fake, authorization_endpoint="https://a.example/x", token_endpoint="https://a.example/t")
    assert await found.endpoint("authorization_endpoint") == "https://a.example/x"
    assert await found.authentication() == "basic"
    assert not fake.calls
    with pytest.raises(ProviderUnavailable):
        await found.endpoint("jwks_uri")


async def test_a_provider_whose_addresses_are_all_known_has_no_document():
    """Cognito's preset never asks for one."""
    fake = FakeProvider(down=True)
    found = Discovery(cognito_options(), fake.client(), Ticker())
    await found.fetch()
    assert (found.ready, dict(fake.calls)) == (True, {})
    assert await found.authentication() == "basic-raw"


async def test_an_endpoint_that_the_provider_does_not_have():
    """What is optional is None; where it is needed, the provider counts as unavailable."""
    found = discovery(FakeProvider(metadata_changes={"userinfo_endpoint": None}))
    assert await found.endpoint("userinfo_endpoint") is None
    with pytest.raises(ProviderUnavailable, match="no userinfo_endpoint"):
        await found.needed("userinfo_endpoint")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(404), "answered 404"),
        (httpx.Response(302, headers={"location": "https://evil.example"}), "answered 302"),
        (httpx.Response(200, html="<h1>"), "not JSON"),
        (httpx.Response(200, json=[]), "not an object"),
        (
            httpx.Response(200, json={**COGNITO, "issuer": "https://evil.example"}),
            "issuer is 'https://evil.example', and the settings say 'https://",
        ),
    ],
)
@respx.mock
async def test_answers_that_are_no_document(respx_mock, answer, said):
    """D8: each is the provider being unavailable, with the address and the reason for the log."""
    url = "https://meta.example/doc"
    respx_mock.get(url).mock(return_value=answer)
    async with httpx.AsyncClient() as http:
        found = Discovery(oidc_options(discovery_url=url), http, Ticker())
        with pytest.raises(ProviderUnavailable, match=said) as failure:
            await found.needed("token_endpoint")
    assert str(failure.value).startswith(f"{url}: ")


@respx.mock
async def test_an_issuer_that_ends_in_a_slash(respx_mock):
    """OpenID Connect Discovery §4: the slash is cut before `/.well-known` is added, and stays in the issuer."""
    document = {**COGNITO, "issuer": "https://i.example/x/"}
    respx_mock.get("https://i.example/x/.well-known/openid-configuration").respond(json=document)
    async with httpx.AsyncClient() as http:
        assert await Discovery(oidc_options(issuer="https://i.example/x/"), http, Ticker()).needed("jwks_uri")
