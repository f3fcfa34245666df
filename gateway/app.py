"""The composition root: the only place that sees settings, opens resources and picks the clock."""

import asyncio
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import TextIO
from urllib.parse import urlsplit

import httpx

from gateway.core.asgi import ASGIApp, HeaderList, Message, Receive, Scope, Send
from gateway.core.cookie_names import CookieNames, cookie_names
from gateway.core.cookies import CookieSpec
from gateway.core.forwarding import Forwarding
from gateway.core.front import Front
from gateway.core.identity_headers import HeaderTemplates, owned_names
from gateway.core.returnto import ReturnTargets
from gateway.core.rules import AccessRules, Allow, Rule
from gateway.core.seal import KeyRing
from gateway.core.session import Session
from gateway.core.transport import strict_transport
from gateway.core.trust import TrustedPeers
from gateway.errors import SettingsError
from gateway.provider.backchannel import back_channel
from gateway.provider.client import Provider
from gateway.provider.options import ProviderOptions
from gateway.provider.presets import cognito, oidc
from gateway.proxy.app import ReverseProxy
from gateway.proxy.hops import Hops
from gateway.proxy.options import UpstreamOptions, UpstreamTimeouts, UpstreamTls
from gateway.sessions.policy import SessionPolicy
from gateway.sessions.service import Sessions
from gateway.settings.load import load
from gateway.settings.schema import AccessRule, CognitoProvider, GatewaySettings, Upstream
from gateway.settings.values import is_loopback
from gateway.stores.cookie import CookieStore
from gateway.telemetry.logs import RequestLine, RequestLog, is_pretty
from gateway.telemetry.metrics import Metrics
from gateway.web.authflow import AuthFlow, FlowPaths
from gateway.web.bearer import Bearers
from gateway.web.binding import FlowCookies
from gateway.web.guard import Guard
from gateway.web.middleware import Middleware, Observe, Parts
from gateway.web.refusals import Refusals
from gateway.web.signout import SignOut
from gateway.web.status import Readiness, livez

Clock = Callable[[], float]

_LOOP_DIGITS = 16
_DISCOVERY = "/.well-known/openid-configuration"


class Gateway(Middleware):
    """The gateway round an ASGI application: `app = Gateway(app, "gateway.yaml")`.

    `settings` is the path of a YAML file, or settings already loaded. Raises SettingsError.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: GatewaySettings | str | Path,
        *,
        clock: Clock = time.time,
        log: TextIO | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """`clock` counts seconds since the epoch; `log` gets a line a request (None: standard output); `http` is the
        back channel's client (None: one of its own, closed at the end)."""
        if not isinstance(settings, GatewaySettings):
            settings = load(settings, _environment())
        self.settings = settings
        self.metrics = Metrics()
        try:
            self._http = http or _back_channel(settings)
            self.provider = Provider(provider_options(settings), self._http, time.monotonic)
            self.metrics.provider_ready.set_function(lambda: float(self.provider.ready))
            self._readiness = Readiness(lambda: self.provider.ready, lambda: self.provider.trouble)
            super().__init__(app, self._assemble(app, clock, log or sys.stdout))
        except (ValueError, OSError) as error:  # what only the parts themselves can judge, and files that are not there
            raise SettingsError(f"the settings cannot be used: {error}") from error

    def _assemble(self, app: ASGIApp, clock: Clock, log: TextIO) -> Parts:
        settings, provider = self.settings, self.provider
        trusted = TrustedPeers(map(str, settings.trusted_proxies))
        ring = KeyRing(settings.session.secrets)
        templates = HeaderTemplates.compile(settings.headers)

        def render(session: Session) -> HeaderList:
            tokens = session.tokens
            return templates.render(session.claims, session.groups, tokens.access_token, tokens.id_token)

        sessions = build_sessions(settings, ring, provider, templates, render)
        paths = flow_paths(settings)
        context = (provider.options.issuer, provider.options.client_id)
        names = own_cookies(settings)
        cookies = FlowCookies(
            ring,
            context,
            names=names,
            secure=settings.secure,
            callback_path=paths.callback,
            strict=settings.session.same_site == "Strict",
        )
        flow = AuthFlow(
            provider=provider,
            sessions=sessions,
            ring=ring,
            cookies=cookies,
            targets=ReturnTargets(settings.public_url, settings.sign_in.return_origins),
            paths=paths,
        )
        sign_out = SignOut(provider=provider, sessions=sessions, ring=ring, cookies=cookies, paths=paths)
        return Parts(
            guard=Guard(
                rules=access_rules(settings),
                sessions=sessions,
                bearers=build_bearers(settings, provider, render),
                outage_grace=settings.session.outage_grace,
            ),
            flow=flow,
            sessions=sessions,
            forwarding=Forwarding(
                owned=owned_names([*templates.names, "x-request-id"]),
                public_url=settings.public_url,
                trusted=trusted,
            ),
            refusals=Refusals(paths, keep_fragment=settings.sign_in.keep_fragment),
            own={
                paths.login: flow.login,
                paths.callback: flow.callback,
                paths.logout: sign_out,
                "/livez": livez,
                "/readyz": self._readiness.readyz,
            },
            clock=clock,
            observe=self._observer(clock, log),
            new_id=_request_ids(),
            own_lines=strict_transport(settings.public_url, settings.hsts),
            trusted=trusted,
            # An upstream is told in header lines, and chosen by the Host that came.
            front=Front(settings.public_url, trusted, settings.session.cookie_domain)
            if trusted and not isinstance(app, ReverseProxy)
            else None,
        )

    def _observer(self, clock: Clock, stream: TextIO) -> Observe:
        logging = self.settings.logging
        log = RequestLog(stream, clock, pretty=is_pretty(logging.format, stream), enabled=logging.requests)
        counted = self.metrics.request

        def observe(request_id: bytes, method: str, rule: str, decision: str, status: int, seconds: float) -> None:
            counted(rule, decision, status, seconds)
            if log.enabled:
                log.write(RequestLine(request_id.decode(), method, rule, decision, status, seconds))

        return observe

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The lifespan: ours round the application's."""
        if scope["type"] != "lifespan":
            await super()._other(scope, receive, send)
            return
        warming = asyncio.create_task(self.provider.warm())
        try:
            await _with_lifespan(self._app, scope, receive, send)
        finally:
            self._readiness.accepting = False
            warming.cancel()
            with suppress(asyncio.CancelledError):
                await warming
            await self._sessions.close()
            await self._http.aclose()


def build(settings: GatewaySettings, *, clock: Clock = time.time, log: TextIO | None = None) -> Gateway:
    """The stand-alone gateway: the middleware round a reverse proxy. Raises SettingsError."""
    try:
        hops = Hops(loop_name(settings), via=settings.via)
        proxy = ReverseProxy([upstream_options(upstream) for upstream in settings.upstreams], hops)
    except ValueError as error:
        raise SettingsError(f"upstreams: {error}") from error
    except OSError as error:
        raise SettingsError(f"upstreams: a TLS file cannot be read: {error.strerror or error}") from error
    return Gateway(proxy, settings, clock=clock, log=log)


async def _with_lifespan(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The application's lifespan; where it has none (ASGI: an exception before any message), ours in its place."""
    spoke = False

    async def noting(message: Message) -> None:
        nonlocal spoke
        spoke = True
        await send(message)

    try:
        await app(scope, receive, noting)
    except Exception:
        if spoke:
            raise
        await send({"type": "lifespan.startup.complete"})
        while (await receive())["type"] != "lifespan.shutdown":
            pass
        await send({"type": "lifespan.shutdown.complete"})


def provider_options(settings: GatewaySettings) -> ProviderOptions:
    """The provider as the settings describe it. Raises ValueError."""
    given = settings.provider
    overrides = {name: str(url) for name, url in given.endpoints.model_dump().items() if url}
    if isinstance(given, CognitoProvider):
        options = cognito(
            user_pool_id=given.user_pool_id,
            domain=given.domain,
            client_id=given.client_id,
            client_secret=given.client_secret,
            region=given.region,
            issuer=given.issuer,
            endpoint=given.discovery_url.removesuffix(_DISCOVERY) if given.discovery_url else None,
            scopes=given.scopes,
            endpoints=overrides,
            extra_authorize_params=given.authorize_params,
        )
    else:
        options = oidc(
            issuer=given.issuer,
            client_id=given.client_id,
            client_secret=given.client_secret,
            discovery_url=given.discovery_url,
            scopes=given.scopes,
            endpoints=overrides,
            extra_authorize_params=given.authorize_params,
        )
    wanted = HeaderTemplates.compile(settings.headers).claims | {given.groups_claim}
    if "email" in wanted and given.email == "verified":
        wanted |= {"email_verified"}
    return replace(
        options, leeway=given.leeway, logout_style=given.logout_style, wanted_claims=wanted, email=given.email
    )


def build_sessions(
    settings: GatewaySettings,
    ring: KeyRing,
    provider: Provider,
    templates: HeaderTemplates,
    render: Callable[[Session], HeaderList],
) -> Sessions:
    """The session service over sealed cookies."""
    policy = session_policy(settings, templates)
    context = (provider.options.issuer, provider.options.client_id)
    return Sessions(
        store=CookieStore(ring, cookie_name=policy.cookie.name, issuer=context[0], client_id=context[1]),
        tokens=provider,
        policy=policy,
        render=render,
        idle_box=ring.box("idle", *context),
    )


def session_policy(settings: GatewaySettings, templates: HeaderTemplates) -> SessionPolicy:
    """How sessions are kept: only the claims that rules and headers name, only the tokens that headers carry."""
    given, groups_claim, names = settings.session, settings.provider.groups_claim, own_cookies(settings)
    return SessionPolicy(
        cookie=_cookie(names.session, settings),
        idle_cookie=_cookie(names.idle, settings),
        lifetime=given.lifetime,
        idle_timeout=given.idle_timeout,
        outage_grace=given.outage_grace,
        kept_claims=frozenset({"sub"}) | templates.claims,
        groups_claim=groups_claim,
        keep_id_token=templates.needs_id_token,
        keep_access_token=templates.needs_access_token,
        cache_bytes=settings.limits.session_cache,
    )


def own_cookies(settings: GatewaySettings) -> CookieNames:
    """What this gateway's cookies are called."""
    given = settings.session
    return cookie_names(given.cookie_name, secure=settings.secure, shared=given.cookie_domain is not None)


def _cookie(name: str, settings: GatewaySettings) -> CookieSpec:
    given = settings.session
    return CookieSpec(name, domain=given.cookie_domain, secure=settings.secure, same_site=given.same_site)


def build_bearers(
    settings: GatewaySettings, provider: Provider, render: Callable[[Session], HeaderList]
) -> Bearers | None:
    """Who recognises programs, when the settings want them."""
    if not settings.bearer.enabled:
        return None
    clients = settings.bearer.clients or frozenset({settings.provider.client_id})
    audiences = settings.bearer.audiences or frozenset({settings.public_url, f"{settings.public_url}/"})
    groups_claim = settings.provider.groups_claim
    return Bearers(provider, client_ids=clients, audiences=audiences, groups_claim=groups_claim, render=render)


def access_rules(settings: GatewaySettings) -> AccessRules:
    """The rules in the order of the file."""
    cut = (upstream.path.rstrip("/") for upstream in settings.upstreams if upstream.strip_prefix or upstream.rewrite)
    return AccessRules(
        map(access_rule, settings.access),
        fold_case=settings.paths.case == "ignore",
        cut_prefixes=dict.fromkeys(prefix for prefix in cut if prefix),
    )


def access_rule(rule: AccessRule) -> Rule:
    """One rule as the core wants it."""
    return Rule(
        path=rule.path,
        methods=rule.methods,
        allow=Allow(rule.allow),
        groups=rule.groups,
        uncached=rule.cache == "never",
        name=rule.name or "",
    )


def flow_paths(settings: GatewaySettings) -> FlowPaths:
    """The gateway's own addresses."""
    return FlowPaths(
        public_url=settings.public_url,
        callback=settings.sign_in.callback_path,
        signed_out=settings.sign_in.signed_out_path,
    )


def loop_name(settings: GatewaySettings) -> str:
    """What marks requests that this installation forwarded: the same for all its processes and replicas, another for a
    gateway that stands before or behind it, even one that shares its secrets."""
    ring = KeyRing(settings.session.secrets)
    places = [
        part.encode()
        for upstream in settings.upstreams
        for part in (upstream.path, *sorted(upstream.hosts), *upstream.addresses)
    ]
    oldest = ring.key_ids()[-1]  # it stays while a secret is changed
    return "cg-" + ring.derive(oldest, "loop", settings.public_url.encode(), *places).hex()[:_LOOP_DIGITS]


def upstream_options(upstream: Upstream) -> UpstreamOptions:
    """One upstream as the data plane wants it."""
    return UpstreamOptions(
        servers=upstream.addresses,
        name=upstream.name or "",
        prefix=upstream.path,
        hosts=frozenset(upstream.hosts),
        strip_prefix=upstream.strip_prefix,
        rewrite=upstream.rewrite,
        host_policy=upstream.host,
        websocket_origin=upstream.websocket_origin,
        max_connections=upstream.max_connections,
        streaming=upstream.streaming,
        max_body=upstream.max_body,
        lenient=upstream.lenient,
        timeouts=UpstreamTimeouts(**upstream.timeouts.model_dump()),
        tls=UpstreamTls(**upstream.tls.model_dump()),
    )


def _back_channel(settings: GatewaySettings) -> httpx.AsyncClient:
    given = settings.provider
    try:
        verify = ssl.create_default_context(cafile=given.ca_file)
    except OSError as error:
        raise SettingsError(f"provider.ca_file: cannot be read: {error.strerror or error}") from error
    address = given.domain if isinstance(given, CognitoProvider) else given.issuer
    # A proxy for the way out has no business between us and a provider on this machine.
    local = is_loopback(urlsplit(address if "://" in address else f"//{address}").hostname or "")
    return back_channel(verify=verify, trust_env=not local)


def _environment() -> dict[str, str]:
    import os  # noqa: PLC0415 - only this function may look at the environment

    return dict(os.environ)


def _request_ids() -> Callable[[], bytes]:
    """Ids that are unique among all processes: a random prefix for this one, then a count."""
    prefix, numbers = token_hex(6).encode(), count(1)
    return lambda: b"%b-%x" % (prefix, next(numbers))
