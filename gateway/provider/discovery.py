"""Find out where the provider's endpoints are: from the options, else from its discovery document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx

from gateway.core.documents import json_object
from gateway.core.exchange import Call, ClientAuthentication
from gateway.errors import BadData, ProviderUnavailable
from gateway.provider.backchannel import carry
from gateway.provider.options import ProviderOptions
from gateway.provider.remote import Remote

Endpoint = Literal[
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
]
NEEDED: tuple[Endpoint, ...] = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL: tuple[Endpoint, ...] = ("userinfo_endpoint", "revocation_endpoint", "end_session_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a discovery document says."""

    endpoints: Mapping[Endpoint, str]
    authentication: ClientAuthentication


def read_metadata(document: Mapping[str, Any], issuer: str) -> Metadata:
    """Read a discovery document. Raises BadData.

    Its `issuer` must be ours exactly (OpenID Connect Discovery §4.3): anything else lets one issuer speak for another.
    An https issuer cannot send us to plain http. PKCE is not looked for: Cognito supports S256 without saying so.
    """
    if document.get("issuer") != issuer:
        raise BadData(f"issuer is {ascii(document.get('issuer'))[:200]}, and the settings say {issuer!r}")
    secure = urlsplit(issuer).scheme == "https"
    endpoints: dict[Endpoint, str] = {}
    for name in NEEDED + _OPTIONAL:
        value = document.get(name)
        if value is None and name in _OPTIONAL:
            continue
        if not isinstance(value, str) or not _usable(value, secure=secure):
            raise BadData(f"{name} is missing, or is not an address that can be used")
        endpoints[name] = value
    return Metadata(endpoints, _authentication(document.get("token_endpoint_auth_methods_supported")))


def _usable(url: str, *, secure: bool) -> bool:
    if not url.isascii() or not url.isprintable() or not {" ", "\\", "#"}.isdisjoint(url):
        return False
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return False
    allowed = {"https"} if secure else {"https", "http"}
    return parts.scheme in allowed and bool(parts.hostname) and "@" not in parts.netloc


def _authentication(methods: object) -> ClientAuthentication:
    """Basic, unless the provider says that it takes the secret only in the form (RFC 8414 §2: unsaid is Basic)."""
    only_form = isinstance(methods, list) and "client_secret_post" in methods and "client_secret_basic" not in methods
    return "post" if only_form else "basic"


class Discovery:
    """The provider's endpoints. What the options name needs no document, so Cognito's sign-in never waits for one."""

    def __init__(self, options: ProviderOptions, http: httpx.AsyncClient, clock: Callable[[], float]) -> None:
        self._options = options
        self._http = http
        self._url = options.discovery_url or options.issuer.rstrip("/") + "/.well-known/openid-configuration"
        self._metadata = Remote(self._fetch, clock, "the provider's metadata")

    @property
    def ready(self) -> bool:
        """Whether every endpoint that a sign-in needs is known."""
        return self._metadata.held is not None or all(getattr(self._options, name) for name in NEEDED)

    @property
    def trouble(self) -> str:
        """Why it is not ready, as far as an attempt has shown."""
        return "" if self.ready else str(self._metadata.failure or "")

    async def endpoint(self, name: Endpoint) -> str | None:
        """The address of an endpoint; None when the provider has none. Raises ProviderUnavailable."""
        given: str | None = getattr(self._options, name)
        return given or (await self._metadata.get()).endpoints.get(name)

    async def needed(self, name: Endpoint) -> str:
        """The address of an endpoint that must be there. Raises ProviderUnavailable."""
        url = await self.endpoint(name)
        if url is None:
            raise ProviderUnavailable(f"the provider has no {name}")
        return url

    async def authentication(self) -> ClientAuthentication:
        """How a client with a secret shows it. Raises ProviderUnavailable."""
        if self._options.client_authentication is not None:
            return self._options.client_authentication
        return "basic" if self._options.token_endpoint else (await self._metadata.get()).authentication

    async def fetch(self) -> None:
        """Fetch the document now, if one is needed at all."""
        if not self.ready:
            await self._metadata.fetch()

    async def _fetch(self) -> Metadata:
        answer = await carry(self._http, Call("GET", self._url, {"accept": "application/json"}))
        if answer.status != 200:
            raise ProviderUnavailable(f"{self._url}: answered {answer.status}")
        try:
            return read_metadata(json_object(answer.body), self._options.issuer)
        except BadData as error:
            raise ProviderUnavailable(f"{self._url}: {error}") from error
