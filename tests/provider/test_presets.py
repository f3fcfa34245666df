"""What an operator says, and the options that follow from it."""

import pytest

from gateway.core.secret import Secret
from gateway.provider.options import ProviderOptions
from gateway.provider.presets import cognito, oidc

POOL = "eu-west-1_AbC123"
DOMAIN = "my-app.auth.eu-west-1.amazoncognito.com"


def test_cognito_from_pool_and_domain():
    """Region, pool id, client and domain are enough: the rest is derived."""
    options = cognito(region="eu-west-1", user_pool_id=POOL, domain=DOMAIN, client_id="us", client_secret=Secret("s"))
    issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123"
    assert options == ProviderOptions(
        issuer=issuer,
        client_id="us",
        client_secret=Secret("s"),
        scopes=("openid", "email"),
        authorization_endpoint=f"https://{DOMAIN}/oauth2/authorize",
        token_endpoint=f"https://{DOMAIN}/oauth2/token",
        jwks_uri=f"{issuer}/.well-known/jwks.json",
        userinfo_endpoint=f"https://{DOMAIN}/oauth2/userInfo",
        revocation_endpoint=f"https://{DOMAIN}/oauth2/revoke",
        end_session_endpoint=f"https://{DOMAIN}/logout",
        logout_style="cognito",
        token_use_required=True,
        client_authentication="basic-raw",
    )


def test_the_local_pool():
    """The local pool is Cognito at another address, with an issuer of its own."""
    options = cognito(
        user_pool_id=POOL, domain="http://localhost:8001/", client_id="us", issuer=f"http://localhost:8001/{POOL}"
    )
    assert options.token_endpoint == "http://localhost:8001/oauth2/token"
    assert options.jwks_uri == f"http://localhost:8001/{POOL}/.well-known/jwks.json"


def test_an_amazon_shaped_issuer_at_another_address():
    """Tokens that say Amazon, keys that are fetched from here."""
    options = cognito(
        user_pool_id=POOL, domain="http://localhost:8001", client_id="us", endpoint=f"http://localhost:8001/{POOL}"
    )
    assert options.issuer == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123"
    assert options.jwks_uri == f"http://localhost:8001/{POOL}/.well-known/jwks.json"


def test_single_addresses_can_be_overridden():
    """Between containers the token endpoint has an inner name, while browsers keep the outer one."""
    inner = {"token_endpoint": "http://pool:8001/oauth2/token"}
    options = cognito(user_pool_id=POOL, domain=DOMAIN, client_id="us", endpoints=inner)
    assert options.token_endpoint == inner["token_endpoint"]
    assert options.authorization_endpoint == f"https://{DOMAIN}/oauth2/authorize"
    assert oidc(issuer="https://i.example", client_id="us", endpoints=inner).token_endpoint == inner["token_endpoint"]


def test_a_generic_provider():
    """An issuer is enough; the rest is left to discovery."""
    options = oidc(issuer="https://i.example", client_id="us", extra_authorize_params={"prompt": "login"})
    assert (options.authorization_endpoint, options.jwks_uri, options.token_use_required) == (None, None, False)
    assert (options.logout_style, options.extra_authorize_params) == ("oidc", {"prompt": "login"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user_pool_id": "AbC123"}, "user_pool_id: 'AbC123' does not look like eu-west-1_AbC123"),
        ({"region": "us-east-1"}, "region: 'us-east-1' is not the one of the pool eu-west-1_AbC123"),
        ({"domain": "https://d.example/login"}, "domain: 'https://d.example/login' is neither a host nor an origin"),
        ({"domain": "ftp://d.example"}, "domain: 'ftp://d.example' is neither a host nor an origin"),
        ({"domain": ""}, "domain: '' is neither a host nor an origin"),
        ({"scopes": ["email"]}, "scopes: must contain openid"),
        (
            {"extra_authorize_params": {"state": "x", "scope": "y"}},
            "extra_authorize_params: scope, state cannot be set, the gateway sets it",
        ),
        (
            {"endpoints": {"tokenEndpoint": "https://x"}},
            (
                "endpoints: tokenEndpoint is no endpoint; known: authorization_endpoint, token_endpoint, jwks_uri, "
                "userinfo_endpoint, revocation_endpoint, end_session_endpoint"
            ),
        ),
    ],
)
def test_what_can_never_work_is_refused(changes, said):
    """D10 and the operator's slips: refused when the options are made, in his words."""
    with pytest.raises(ValueError) as refusal:
        cognito(**{"user_pool_id": POOL, "domain": DOMAIN, "client_id": "us", **changes})
    assert str(refusal.value) == said


def test_an_issuer_of_ones_own_does_without_an_amazon_pool_id():
    """Another emulator's pool id may look different when the issuer is given."""
    assert cognito(user_pool_id="local", domain=DOMAIN, client_id="us", issuer="http://localhost:1/local").issuer
