"""The gateway's settings as frozen values: what an operator may write, with defaults, and nothing else."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from gateway.core import cookie_names
from gateway.core.emails import EmailPolicy
from gateway.core.identity_headers import HeaderTemplates
from gateway.core.oidc import RESERVED_PARAMETERS
from gateway.settings.findings import Finding, Refused
from gateway.settings.own_address import own_address
from gateway.settings.values import (
    TEN_YEARS,
    Address,
    Duration,
    Host,
    Issuer,
    ListenAddress,
    Network,
    Origin,
    Path,
    PathGlob,
    PoolId,
    Port,
    PublicUrl,
    SealingSecret,
    Seconds,
    SecretText,
    Server,
    Size,
    Text,
    WebUrl,
    is_loopback,
    parse_public_url,
)

METHOD = r"^[A-Z][A-Z-]{0,31}$"
SCOPE = r"^[\x21\x23-\x5b\x5d-\x7e]+$"
"""RFC 6749 §3.3."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_TEMPLATE = re.compile(r"[^$\x00-\x1f\x7f]*(?:\$\{[A-Za-z0-9_:./-]{1,128}\}[^$\x00-\x1f\x7f]*)*")
_NOT_OURS = frozenset(
    {
        "connection", "content-encoding", "content-length", "content-type", "cookie", "expect", "forwarded", "host",
        "keep-alive", "proxy", "proxy-authenticate", "proxy-authorization", "proxy-connection", "set-cookie", "te",
        "trailer", "transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port",
        "x-forwarded-proto",
    }
)  # fmt: skip
"""Headers that belong to the message or the connection, or say where it came from: no claim may replace one."""

OWN_PATHS = frozenset({"/oauth2/login", "/oauth2/logout", "/livez", "/readyz"})
"""Addresses that the gateway answers itself, before any rule, wherever `callback_path` is."""

DISCOVERY = "/.well-known/openid-configuration"

DEFAULT_HEADERS: Mapping[str, str] = MappingProxyType(
    {"x-forwarded-user": "${sub}", "x-forwarded-email": "${email}", "x-forwarded-groups": "${groups}"}
)


class Section(BaseModel):
    """A block of the file. Unknown keys are mistakes; values do not change; errors never quote what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Endpoints(Section):
    """Addresses that replace what discovery or the preset says, named as in OpenID Connect Discovery."""

    authorization_endpoint: WebUrl | None = None
    token_endpoint: WebUrl | None = None
    jwks_uri: WebUrl | None = None
    userinfo_endpoint: WebUrl | None = None
    revocation_endpoint: WebUrl | None = None
    end_session_endpoint: WebUrl | None = None


class _Provider(Section):
    client_id: Text = Field(description="The app client's id at the provider.")
    client_secret: SecretText | None = Field(default=None, description="Absent for a public client: PKCE is always on.")
    discovery_url: WebUrl | None = Field(
        default=None, description="Where to read the provider's metadata, when not below the issuer."
    )
    endpoints: Endpoints = Endpoints()
    authorize_params: dict[Text, Text] = Field(
        default={}, description="Added to every authorize request; ours cannot be replaced."
    )
    leeway: Seconds = Field(default=5, description="How far the provider's clock may be from ours.")
    ca_file: Text | None = Field(
        default=None, description="PEM file of authorities for the provider's certificate, in place of the system's."
    )

    @field_validator("authorize_params")
    @classmethod
    def _not_ours(cls, params: dict[str, str]) -> dict[str, str]:
        if taken := sorted(RESERVED_PARAMETERS & params.keys()):
            raise ValueError(f"must not set {', '.join(taken)}: the gateway sets it itself")
        return params

    @field_validator("leeway")
    @classmethod
    def _short(cls, leeway: int) -> int:
        if leeway > 60:
            raise ValueError("must be at most 60s")
        return leeway


def _scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in scopes:
        raise ValueError("must contain openid: without it there is no ID token")
    return scopes


Scopes = Annotated[tuple[Annotated[str, Field(pattern=SCOPE)], ...], AfterValidator(_scopes)]


_EMAIL = "Which users' email is passed on: verified, not-denied (email_verified is true or absent) or any."


class CognitoProvider(_Provider):
    """Amazon Cognito, or the gateway's own pool: region, pool id, client and domain are enough, the rest is derived."""

    preset: Literal["cognito"]
    region: str | None = Field(default=None, description="Taken from user_pool_id when absent.")
    user_pool_id: PoolId
    domain: Text = Field(
        description="Host of the sign-in pages, or their whole address for a pool that is not Amazon's."
    )
    issuer: Issuer | None = Field(
        default=None, description="Absent: https://cognito-idp.<region>.amazonaws.com/<pool>."
    )
    scopes: Scopes = ("openid", "email")
    groups_claim: Text = "cognito:groups"
    logout_style: Literal["cognito", "oidc", "none"] = "cognito"
    email: EmailPolicy = Field(default="verified", description=_EMAIL)

    @field_validator("domain")
    @classmethod
    def _whole_domain(cls, domain: str) -> str:
        if "://" in domain:
            return parse_public_url(domain)
        if domain.endswith(".amazonaws.com"):
            raise ValueError("is where the pool's keys are; write for example my-app.auth.eu-west-1.amazoncognito.com")
        if "." not in domain:
            raise ValueError("must be the whole host, for example my-app.auth.eu-west-1.amazoncognito.com")
        return parse_public_url(f"https://{domain}").removeprefix("https://")

    @field_validator("region")
    @classmethod
    def _region_form(cls, region: str | None) -> str | None:
        if region is not None and not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", region):
            raise ValueError("is not a region; write for example eu-west-1")
        return region

    @field_validator("user_pool_id")
    @classmethod
    def _pool_of_region(cls, pool: str, info: ValidationInfo) -> str:
        region = info.data.get("region")
        if region and not pool.startswith(f"{region}_"):
            raise ValueError("names another region than region does")
        return pool

    @field_validator("discovery_url")
    @classmethod
    def _whole_discovery(cls, url: str | None) -> str | None:
        if url is not None and not url.endswith(DISCOVERY):
            raise ValueError(f"must end with {DISCOVERY}")
        return url


class OidcProvider(_Provider):
    """Any OpenID Connect provider: the issuer is enough, the rest is discovered."""

    preset: Literal["oidc"]
    issuer: Issuer
    scopes: Scopes = ("openid", "email", "profile")
    groups_claim: Text = "groups"
    logout_style: Literal["cognito", "oidc", "none"] = "oidc"
    email: EmailPolicy = Field(default="not-denied", description=_EMAIL)


Provider = Annotated[CognitoProvider | OidcProvider, Field(discriminator="preset")]


class Session(Section):
    """How long somebody stays signed in, and what seals the cookie that says so."""

    secrets: tuple[SealingSecret, ...] = Field(min_length=1, description="Newest first: the first seals, all open.")
    lifetime: Seconds = Field(default=12 * 3600, description="From sign-in to its end, whatever happens in between.")
    idle_timeout: Seconds | None = Field(default=None, description="Signed out after this long without a request.")
    outage_grace: Seconds = Field(
        default=0, description="How long identity is trusted past the access token while the provider is down."
    )
    cookie_domain: Host | None = Field(
        default=None, description="A parent domain to share the session with; absent, the host alone."
    )
    same_site: Literal["Lax", "Strict"] = "Lax"
    cookie_name: str = Field(
        default=cookie_names.DEFAULT,
        description="cg_<word>_session where several gateways share a host; the other cookies' names follow from it.",
    )

    @field_validator("cookie_name")
    @classmethod
    def _own_name(cls, name: str) -> str:
        if not cookie_names.FORM.fullmatch(name):
            raise ValueError("must be cg_session, or one word more, for example cg_payroll_session")
        return name

    @field_validator("secrets")
    @classmethod
    def _different(cls, secrets: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(secrets)) < len(secrets):
            raise ValueError("contains the same secret twice")
        return secrets

    @field_validator("lifetime")
    @classmethod
    def _not_instant(cls, lifetime: int) -> int:
        if lifetime < 60:
            raise ValueError("must be at least 1m")
        return lifetime

    @field_validator("idle_timeout")
    @classmethod
    def _idle_within_lifetime(cls, idle: int | None, info: ValidationInfo) -> int | None:
        if idle is not None and not 60 <= idle <= info.data.get("lifetime", TEN_YEARS):
            raise ValueError("must be at least 1m and not longer than lifetime")
        return idle


class SignIn(Section):
    """Addresses that sign-in and sign-out use."""

    callback_path: Path = Field(default="/oauth2/callback", description="Register public_url + this at the provider.")
    signed_out_path: Path = Field(
        default="/", description="Where the browser lands after sign-out; register it at the provider too."
    )
    return_origins: tuple[Origin, ...] = Field(default=(), description="Other origins that return_to may name.")
    keep_fragment: bool = Field(
        default=False, description="Keep what follows # in an address, by a page with a script before each sign-in."
    )

    @field_validator("callback_path")
    @classmethod
    def _of_its_own(cls, path: str) -> str:
        if path == "/":
            raise ValueError("would take the front page of your service; leave it out, or choose a longer path")
        if path in OWN_PATHS:
            raise ValueError("is another address of the gateway itself")
        return path

    @field_validator("signed_out_path")
    @classmethod
    def _can_be_landed_on(cls, path: str, info: ValidationInfo) -> str:
        if path == info.data.get("callback_path"):
            raise ValueError("is callback_path: a sign-out would end in a failed sign-in")
        if path in OWN_PATHS - {"/oauth2/login"}:
            raise ValueError("is an address of the gateway itself, not a page to land on")
        return path


class Timeouts(Section):
    """How long each step towards an upstream may take."""

    connect: Duration = 5.0
    tls: Duration = 5.0
    first_byte: Duration = Field(default=60.0, description="From the end of the request to the answer.")
    idle: Duration = Field(default=60.0, description="Between two reads or writes of a body.")
    total: Duration | None = Field(default=None, description="The whole exchange; absent, no limit.")
    queue: Duration = Field(default=5.0, description="Waiting for a free connection; then 503.")
    keep_alive: Duration = Field(
        default=4.0, description="How long an unused connection is kept: shorter than the upstream keeps its end."
    )


class UpstreamTls(Section):
    """How an https upstream is verified."""

    ca_file: Text | None = Field(default=None, description="PEM file that replaces the system's authorities.")
    certificate: Text | None = Field(default=None, description="PEM file of the client certificate.")
    key: Text | None = Field(default=None, description="PEM file of its key.")
    server_name: Host | None = Field(default=None, description="Name to verify, when it is not the host's.")
    verify: bool = True

    @field_validator("key")
    @classmethod
    def _pair(cls, key: str | None, info: ValidationInfo) -> str | None:
        if key and info.data.get("certificate", "") is None:
            raise ValueError("needs certificate beside it")
        return key


class Upstream(Section):
    """A service behind the gateway, chosen by path prefix and host; the longest match wins."""

    name: Text | None = None
    path: Path = "/"
    hosts: tuple[Host, ...] = Field(default=(), description="Only requests to these hosts; absent, every host.")
    url: Server | None = None
    servers: tuple[Server, ...] = Field(default=(), description="Instead of url: several, the least busy is asked.")
    strip_prefix: bool = Field(default=False, description="Remove path before forwarding.")
    rewrite: Path | None = Field(default=None, description="Put this in the place of path before forwarding.")
    host: Literal["pass", "replace"] = Field(
        default="pass", description="Forward the browser's Host, or the upstream's own name."
    )
    websocket_origin: Literal["same-host", "any"] = Field(default="same-host", description="Whose pages may open one.")
    max_connections: int = Field(default=256, ge=1, le=65536)
    streaming: bool = Field(
        default=False, description="Clients may send and read as slowly as they like, even when others wait."
    )
    max_body: Size | None = Field(default=None, description="Larger request bodies get 413; absent, no limit.")
    lenient: bool = Field(default=False, description="Forgive malformed but harmless responses of old services.")
    timeouts: Timeouts = Timeouts()
    tls: UpstreamTls = UpstreamTls()

    @property
    def addresses(self) -> tuple[str, ...]:
        """`url` or `servers`, as one list."""
        return (self.url,) if self.url else self.servers

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.url) == bool(self.servers):
            raise ValueError("needs either url or servers")
        if self.strip_prefix and self.rewrite:
            raise ValueError("may have strip_prefix or rewrite, not both")
        if len({address.partition(":")[0] for address in self.addresses}) > 1:
            raise ValueError("servers must all use the same scheme")
        return self


class AccessRule(Section):
    """Who may request a path. The first rule that matches decides; when none does, nobody may."""

    path: PathGlob
    methods: frozenset[Annotated[str, Field(pattern=METHOD)]] | None = Field(
        default=None, min_length=1, description="Only these methods; absent, all."
    )
    allow: Literal["anyone", "signed-in", "nobody"] = "signed-in"
    groups: frozenset[Text] = Field(default=frozenset(), description="Signed in, and in at least one of these groups.")
    cache: Literal["never"] | None = Field(
        default=None, description="never: nobody keeps a response, not even the browser for its back button."
    )
    name: Text | None = Field(default=None, description="What logs and metrics call the rule; absent, its path.")

    @field_validator("methods")
    @classmethod
    def _head_is_get(cls, methods: frozenset[str] | None) -> frozenset[str] | None:
        if methods == frozenset({"HEAD"}):
            raise ValueError("HEAD is judged as GET: write GET")
        return methods

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if not {"allow", "groups"} & self.model_fields_set:
            raise ValueError("must say who: allow (anyone, signed-in, nobody) or groups")
        return self

    @field_validator("groups")
    @classmethod
    def _groups_fit(cls, groups: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        if not groups:
            raise ValueError("is empty: nobody could ever match")
        if info.data.get("allow", "signed-in") != "signed-in":
            raise ValueError(f"contradicts allow: {info.data['allow']}")
        return groups


class Paths(Section):
    """How the services behind read paths, as far as rules depend on it."""

    case: Literal["ignore", "exact"] = Field(
        default="ignore",
        description="ignore: /Admin may be /admin to them, and both are judged; exact: it never is.",
    )


class Listen(Section):
    """Where the gateway listens. Loopback unless said otherwise."""

    host: Host = "127.0.0.1"
    port: Port = 8000
    metrics: ListenAddress | None = Field(
        default=None, description="Prometheus metrics on a listener of their own; absent, none."
    )

    @field_validator("metrics")
    @classmethod
    def _apart(cls, metrics: Address | None, info: ValidationInfo) -> Address | None:
        if metrics and metrics.port and metrics.port == info.data.get("port"):
            raise ValueError("must not share the gateway's port")
        return metrics


class Limits(Section):
    """What one client may ask of the server before it is refused."""

    header_bytes: Size = Field(default=32 * 1024, description="All header lines of a request together; then 431.")
    header_count: int = Field(default=128, ge=8, le=10_000, description="Header lines of a request; then 431.")
    request_line: Size = Field(default=16 * 1024, description="Then 414.")
    header_timeout: Duration = Field(default=10.0, description="To send the whole head; then 408.")
    body_idle_timeout: Duration = Field(default=30.0, description="Between two pieces of a request body; then 408.")
    write_timeout: Duration = Field(default=60.0, description="How long a client may take nothing of its answer.")
    keep_alive: Duration = Field(default=75.0, description="How long a silent connection is kept.")
    connections: int = Field(default=10_000, ge=1, description="Open at once; then 503.")
    session_cache: Size = Field(default=64 * 2**20, description="Memory for opened sessions.")


class Bearer(Section):
    """Programs that bring an access token instead of a session cookie."""

    enabled: bool = True
    clients: frozenset[Text] = Field(
        default=frozenset(), description="Client ids whose tokens are taken; absent, our own client alone."
    )
    audiences: frozenset[Text] = Field(
        default=frozenset(),
        description="Names of this service in a token's aud; absent, public_url. Without aud, clients decides.",
    )


class Logging(Section):
    """What is written to the standard output, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "pretty"] = Field(
        default="auto", description="auto: JSON, but pretty on a terminal."
    )
    requests: bool = Field(default=True, description="One line for each request.")


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("is not a header name")
    if name.lower() in _NOT_OURS:
        raise ValueError("belongs to the message itself and cannot carry a claim")
    return name.lower()


def _template(template: str) -> str:
    if not _TEMPLATE.fullmatch(template):
        raise ValueError("is not a header template; write claims as ${email}, and no other $ or control character")
    return template


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderTemplate = Annotated[str, AfterValidator(_template)]


class GatewaySettings(Section):
    """The whole file."""

    provider: Provider
    public_url: PublicUrl = Field(
        description="The address that browsers use; callback and sign-out addresses follow from it."
    )
    session: Session
    listen: Listen = Listen()
    upstreams: tuple[Upstream, ...] = Field(
        default=(), description="Services behind the gateway; none when it is used as middleware."
    )
    access: tuple[AccessRule, ...] = Field(default=(AccessRule(path="/**", allow="signed-in"),), min_length=1)
    paths: Paths = Paths()
    headers: dict[HeaderName, HeaderTemplate] = Field(
        default=dict(DEFAULT_HEADERS),
        description="Headers for the upstream, made of claims; ${groups}, ${access_token}, ${id_token} too.",
    )
    sign_in: SignIn = SignIn()
    hsts: Seconds = Field(
        default=365 * 86400,
        description="Tell browsers to use https only, in our own responses over https; 0s sends nothing.",
    )
    via: bool = Field(default=True, description="Tell upstreams in Via that a gateway forwarded the request.")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Networks whose X-Forwarded-* are believed. Empty: nobody's."
    )
    limits: Limits = Limits()
    bearer: Bearer = Bearer()
    logging: Logging = Logging()

    @property
    def secure(self) -> bool:
        """Whether browsers come over https: cookies get `Secure` and the `__Host-` prefix."""
        return self.public_url.startswith("https:")

    @field_validator("headers")
    @classmethod
    def _fold_apart(cls, headers: dict[str, str]) -> dict[str, str]:
        folded = [re.sub(r"[^a-z0-9]", "-", name) for name in headers]
        _refuse(_unusable(headers))
        if len(set(folded)) < len(folded):
            raise ValueError(
                "has two names that differ only in case or punctuation: applications cannot tell them apart"
            )
        return headers

    @field_validator("upstreams")
    @classmethod
    def _no_twins(cls, upstreams: tuple[Upstream, ...]) -> tuple[Upstream, ...]:
        places = [(upstream.path.rstrip("/"), host) for upstream in upstreams for host in upstream.hosts or ("",)]
        if len(set(places)) < len(places):
            raise ValueError("has two entries for the same path and host")
        return upstreams

    @field_validator("upstreams")
    @classmethod
    def _not_ourselves(cls, upstreams: tuple[Upstream, ...], info: ValidationInfo) -> tuple[Upstream, ...]:
        listen, public_url = info.data.get("listen"), info.data.get("public_url")
        if listen is not None and public_url is not None:
            _refuse(_loops(upstreams, listen, public_url))
        return upstreams

    @field_validator("session")
    @classmethod
    def _domain_is_ours(cls, session: Session, info: ValidationInfo) -> Session:
        domain, host = session.cookie_domain, urlsplit(info.data.get("public_url", "")).hostname
        # Q13: example.com is no parent of evilexample.com. Loopback names have no domain to share.
        if domain and host and (is_loopback(host) or not f".{host}".endswith(f".{domain}")):
            raise Refused(Finding(("cookie_domain",), "must be the host of public_url or a parent of it"))
        if domain and "." not in domain:
            raise Refused(Finding(("cookie_domain",), "is a top-level domain: browsers refuse cookies for it"))
        return session


def _refuse(mistakes: Iterable[Finding]) -> None:
    if found := list(mistakes):
        raise Refused(*found)


def _loops(upstreams: Iterable[Upstream], listen: Listen, public_url: str) -> Iterator[Finding]:
    for index, upstream in enumerate(upstreams):
        for place, server in enumerate(upstream.addresses):
            own = own_address(server, host=listen.host, port=listen.port, public_url=public_url)
            if own is not None:
                key: tuple[str | int, ...] = ("url",) if upstream.url else ("servers", place)
                words = f"is the gateway's own address ({own}): each request would come back to it without end"
                yield Finding((index, *key), words)


def _unusable(headers: Mapping[str, str]) -> Iterator[Finding]:
    for name, text in headers.items():
        try:
            HeaderTemplates.compile({name: text})
        except ValueError as error:
            yield Finding((name,), str(error).removeprefix(f"header {name}: "))
