"""Derive a provider's options from the little that an operator knows."""

from collections.abc import Mapping, Sequence

from gateway.core.secret import Secret
from gateway.provider.options import ProviderOptions


def cognito(  # noqa: PLR0913 - one keyword per setting of the preset
    *,
    user_pool_id: str,
    domain: str,
    client_id: str,
    client_secret: Secret | None = None,
    region: str | None = None,
    issuer: str | None = None,
    endpoint: str | None = None,
    scopes: Sequence[str] = ("openid", "email"),
    endpoints: Mapping[str, str] | None = None,
    extra_authorize_params: Mapping[str, str] | None = None,
) -> ProviderOptions:
    """Amazon Cognito, or a pool that is faithful to it."""
    raise NotImplementedError


def oidc(  # noqa: PLR0913 - one keyword per setting of the preset
    *,
    issuer: str,
    client_id: str,
    client_secret: Secret | None = None,
    discovery_url: str | None = None,
    scopes: Sequence[str] = ("openid", "email", "profile"),
    endpoints: Mapping[str, str] | None = None,
    extra_authorize_params: Mapping[str, str] | None = None,
) -> ProviderOptions:
    """Any OpenID provider that publishes a discovery document."""
    raise NotImplementedError
