"""Describe the pool to OpenID Connect clients."""

from typing import Any

from gateway.pool.options import PoolOptions
from gateway.pool.records import STANDARD_ATTRIBUTES


def document(options: PoolOptions) -> dict[str, Any]:
    """The discovery document (reference §3): Amazon's keys, and unless `exact_discovery` those that clients miss there.

    Clients that require `code_challenge_methods_supported` refuse Cognito although S256 works.
    """
    base = options.base_url
    amazon = {
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "end_session_endpoint": f"{base}/logout",
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": options.issuer,
        "jwks_uri": f"{options.well_known}/jwks.json",
        "response_types_supported": ["code", "token"],
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint": f"{base}/oauth2/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "userinfo_endpoint": f"{base}/oauth2/userInfo",
    }
    return amazon if options.exact_discovery else {**amazon, **_beyond_amazon()}


def _beyond_amazon() -> dict[str, Any]:
    claims = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "cognito:username", "cognito:groups"]
    return {
        # Only what works here: the implicit flow is in Amazon's list, but not built.
        "response_types_supported": ["code"],
        "claims_supported": [*claims, *STANDARD_ATTRIBUTES, "email_verified", "phone_number_verified"],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "prompt_values_supported": ["none", "login", "select_account", "consent"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    }
