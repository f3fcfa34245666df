"""Sign-in: send the browser to the provider, take it back, begin the session."""

import logging
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlencode

from starlette.responses import Response

from gateway.core.asgi import Receive, Scope
from gateway.core.cookies import RequestCookies
from gateway.core.flow import (
    MAX_REST,
    MAX_STATE_RETURN,
    Flow,
    FlowSecrets,
    Stale,
    Step,
    binding_hash,
    flow_secrets,
    judge_callback,
    pack_flow,
    staleness,
    unpack_flow,
)
from gateway.core.navigation import Navigation, navigation
from gateway.core.oidc import CallbackCode, CallbackError, pkce_challenge, read_callback
from gateway.core.packed_address import pack_address, unpack_address
from gateway.core.returnto import HOME, ReturnTargets
from gateway.core.seal import KeyRing
from gateway.errors import BadData, BadToken, GatewayError, ProviderRefused, ProviderUnavailable
from gateway.provider.client import Provider
from gateway.sessions.service import Sessions
from gateway.web import pages
from gateway.web.answers import html, problem, redirect, unprompted, with_cookies
from gateway.web.binding import HEAD_BYTES, FlowCookies, fitting, size
from gateway.web.requests import REQUEST_ID, request_cookies, single
from gateway.web.spent import Spent

_RETRY_SECONDS: Final = "5"
_FINAL_REFUSALS: Final = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
"""Refusals that mean 'set up wrongly': starting again would end the same way."""
_OTHER_LINES: Final = 640
"""Bytes of our responses' heads without Location and Set-Cookie, at most."""

_PRINTABLE: Final = bytes(range(0x21, 0x7F))
_LANDED: Final = b"&landed=1"
"""Ends the query of a callback that our own page asked for. What another site redirects to comes without cookies that
are `SameSite=Strict`, and so does each redirect from there: a page of ours starts a navigation of our own site.
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPaths:
    """Where the gateway's own addresses are. `public_url` is the origin that browsers use, without a trailing slash."""

    public_url: str
    callback: str = "/oauth2/callback"
    login: str = "/oauth2/login"
    logout: str = "/oauth2/logout"
    signed_out: str = "/"

    @property
    def redirect_uri(self) -> str:
        return self.public_url + self.callback

    def login_to(self, return_to: str, *, by_itself: bool = False) -> str:
        """The address that signs in and then goes to `return_to`, its last parameter. `by_itself`: nobody asked for it,
        so that sign-ins are counted on."""
        asked = {"by": "itself"} if by_itself else {}
        return f"{self.login}?{urlencode({**asked, 'return_to': return_to}, quote_via=quote, safe='/')}"


class _Visit(NamedTuple):
    """What of a request the steps of a sign-in need."""

    cookies: RequestCookies
    now: int
    request_id: str


def _visit(scope: Scope, now: int) -> _Visit:
    return _Visit(request_cookies(scope["headers"]), now, scope.get(REQUEST_ID, b"").decode())


class AuthFlow:
    """The handlers of `/oauth2/login` and `/oauth2/callback`, and the guard's way into a sign-in."""

    def __init__(
        self,
        *,
        provider: Provider,
        sessions: Sessions,
        ring: KeyRing,
        cookies: FlowCookies,
        targets: ReturnTargets,
        paths: FlowPaths,
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._ring = ring
        self._targets = targets
        self._own = {paths.login, paths.callback, paths.logout}
        self.paths = paths
        self._state_box = ring.box("state", provider.options.issuer, provider.options.client_id)
        self._cookies = cookies
        self._arrived = Spent()

    # Out to the provider

    async def begin(self, scope: Scope, return_to: str, now: int) -> Response:
        """A redirect to the provider; a page when it cannot be reached, or when sign-ins go round in circles."""
        visit = _visit(scope, now)
        if self._cookies.looping(visit.cookies, now):
            _log.warning("%s sign-in goes round in circles: the browser does not keep the session", visit.request_id)
            return html(400, pages.cookie_not_kept(self.paths.login_to(return_to)))
        return await self._start(visit, self._safe(return_to), attempt=1)

    async def login(self, scope: Scope, receive: Receive, now: int) -> Response:
        """`GET /oauth2/login?return_to=…`: somebody asks to sign in, so counting begins anew."""
        del receive
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "method_not_allowed", "Use GET.")
        target = self._safe(single(scope["query_string"], "return_to"))
        visit = _visit(scope, now)
        if navigation("GET", scope["headers"]) is Navigation.UNPROMPTED:
            return unprompted()
        if self._signed_in(visit):
            return self._arrive(target, [])
        if single(scope["query_string"], "by") == "itself":
            return await self.begin(scope, target, now)
        response = await self._start(visit, target, attempt=1)
        return with_cookies(response, [self._cookies.forget_sign_ins()])

    async def _start(self, visit: _Visit, return_to: str, *, attempt: int, slot: int = 0) -> Response:
        """`slot`: of the flow that this one follows, and takes over."""
        now = visit.now
        binding = self._cookies.binding(visit.cookies, now)
        packed = pack_address(return_to)
        address, rest = packed[:MAX_STATE_RETURN], packed[MAX_STATE_RETURN:]
        flow = Flow(
            id=secrets.token_bytes(16),
            started_at=now,
            attempt=attempt,
            binding=binding_hash(binding.value),
            address=address,
        )
        lines = []
        if rest:
            slot = slot or binding.free_slot(flow.id[0], now)
            if not slot or len(rest) > MAX_REST:
                return self._cannot_keep(return_to)
            flow, binding = replace(flow, slot=slot), binding.with_slot(slot, flow.ends_at)
            lines = [self._cookies.keep_rest(flow, rest)]
        try:
            location = await self._authorize_url(flow, binding.value)
        except ProviderUnavailable as error:
            return self._unavailable(visit, error, self.paths.login_to(return_to))
        lines = [self._cookies.keep(binding, now), *lines]
        room = HEAD_BYTES - _OTHER_LINES - len(location) - size(lines)
        surplus = fitting(self._cookies.surplus(visit.cookies, binding), room)
        return with_cookies(redirect(location), lines + surplus)

    def _cannot_keep(self, return_to: str) -> Response:
        _log.info("a return address of %d characters is too long to be kept during sign-in", len(return_to))
        challenge = {"www-authenticate": "Bearer"}
        return html(401, pages.address_too_long(self.paths.login_to(HOME)), headers=challenge)

    async def _authorize_url(self, flow: Flow, binding: bytes) -> str:
        state = self._state_box.seal(pack_flow(flow))
        own = self._flow_secrets(self._state_box.newest_key_id, flow, binding)
        return await self._provider.authorize_url(
            redirect_uri=self.paths.redirect_uri,
            state=state,
            nonce=own.nonce,
            code_challenge=pkce_challenge(own.code_verifier),
        )

    # Back from the provider

    async def callback(self, scope: Scope, receive: Receive, now: int) -> Response:
        """`GET /oauth2/callback`: the table of `gateway.core.flow.judge_callback`, acted on."""
        del receive
        if scope["method"] != "GET":  # nothing else can be a browser on its way back: a HEAD must not spend the code
            return problem(405, "method_not_allowed", "Use GET.")
        query = scope["query_string"]
        if self._cookies.strict and not query.endswith(_LANDED):
            return html(200, pages.go_on(f"{self.paths.callback}?{quote(query + _LANDED, safe=_PRINTABLE)}"))
        visit = _visit(scope, now)
        try:
            answer = read_callback(query, self._provider.options.issuer)
        except BadData as error:
            return self._rejected(visit, str(error))
        opened = self._open_state(answer.state)
        if opened is not None:
            return await self._came_back(visit, answer, *opened)
        if isinstance(answer, CallbackError):
            return self._stranger_says_no(answer)
        return self._rejected(visit, "its state does not open")

    async def _came_back(
        self, visit: _Visit, answer: CallbackCode | CallbackError, key_id: str, flow: Flow
    ) -> Response:
        binding = self._cookies.bound(visit.cookies, flow, visit.now)
        stale = staleness(flow, visit.now, bound=binding is not None, seen=flow.id in self._arrived)
        if isinstance(answer, CallbackError):
            return self._stranger_says_no(answer) if stale else self._provider_said_no(visit, answer, flow)
        step = judge_callback(flow, stale, signed_in=self._signed_in(visit))
        if binding is not None and step is Step.EXCHANGE:
            # One state and one binding buy one call of the token endpoint.
            self._arrived.add(flow.id, flow.ends_at, visit.now)
            return await self._exchange(visit, answer.code, flow, self._flow_secrets(key_id, flow, binding))
        return await self._go_on(visit, step, stale, flow)

    async def _exchange(self, visit: _Visit, code: str, flow: Flow, own: FlowSecrets) -> Response:
        target = self._return_address(visit, flow)
        login = self.paths.login_to(target or HOME)
        try:
            lines = await self._begin_session(visit, code, flow, own)
        except ProviderUnavailable as error:
            return self._unavailable(visit, error, login)
        except BadData as error:
            self._failed(visit, error)
            return self._not_understood("The sign-in service sent something that cannot be used.", login)
        except ProviderRefused as error:
            self._failed(visit, error)
            if error.error in _FINAL_REFUSALS:
                return self._not_understood("The sign-in service does not accept this gateway as its client.", login)
            again = judge_callback(flow, Stale.REFUSED, signed_in=self._signed_in(visit))
            return await self._go_on(visit, again, Stale.REFUSED, flow)
        return self._arrive(target, lines, self._cookies.unbind(visit.cookies, flow.binding))

    async def _begin_session(self, visit: _Visit, code: str, flow: Flow, own: FlowSecrets) -> list[bytes]:
        """Redeem the code and start the session; the Set-Cookie lines that bring it, and spend the flow."""
        cookies, now = visit.cookies, visit.now
        tokens = await self._provider.exchange(
            code=code,
            redirect_uri=self.paths.redirect_uri,
            code_verifier=own.code_verifier,
            nonce=own.nonce,
            now=now,
        )
        if tokens.claims is None:
            raise BadToken("the token endpoint gave no ID token")
        started = await self._sessions.start(
            tokens.claims, tokens.token_set, tokens.access_expires_at, now, cookies.names()
        )
        # The session that this one replaces, if any, may be somebody else's: it ends as at sign-out (C6, C16).
        await self._sessions.end(cookies, now)
        self._cookies.spend(flow.binding, now)
        return [*started.set_cookies, self._cookies.count_sign_in(cookies, now), *self._cookies.drop_rest(flow)]

    async def _go_on(self, visit: _Visit, step: Step, stale: Stale | None, flow: Flow) -> Response:
        target = self._return_address(visit, flow)
        if step is Step.GO_ON:
            return self._arrive(target, self._cookies.drop_rest(flow))
        if step is Step.RESTART:
            return await self._start(visit, target or HOME, attempt=flow.attempt + 1, slot=flow.slot)
        _log.warning("%s sign-in given up after %d attempts: %s", visit.request_id, flow.attempt, stale and stale.value)
        login = self.paths.login_to(target or HOME)
        if stale is Stale.UNBOUND:
            return html(400, pages.cookie_not_kept(login))
        return html(400, pages.too_many_attempts(login, late=stale is Stale.LATE))

    def _arrive(self, target: str | None, lines: list[bytes], more: Iterable[bytes] = ()) -> Response:
        """On to the return address; a page that says so where it is lost. `more`: Set-Cookie values for what room is
        left."""
        room = HEAD_BYTES - _OTHER_LINES - size(lines)
        if target is None:
            _log.info("a return address did not come back: its cookie is gone")
            response = html(200, pages.address_lost(HOME))
        elif 0 < room < len(target):  # a body has room for it; a session that leaves none needs larger buffers anyway
            response = html(200, pages.go_on(target))
        else:
            room -= len(target)
            response = redirect(target)
        return with_cookies(response, [*lines, *fitting(more, room)])

    def _provider_said_no(self, visit: _Visit, answer: CallbackError, flow: Flow) -> Response:
        """A readable page by kind, with the provider's own words."""
        said = f"{answer.error}: {answer.description}" if answer.description else answer.error
        _log.warning("%s sign-in failed: the provider says %s", visit.request_id, said)
        login = self.paths.login_to(self._return_address(visit, flow) or HOME)
        status, body = pages.provider_error(answer.problem, login, said)
        return html(status, body)

    def _stranger_says_no(self, answer: CallbackError) -> Response:
        """The same page where the flow is not one of this browser: anybody could have written the words, and they are
        not shown; nor does its status look like a server's trouble."""
        return html(400, pages.provider_error(answer.problem, self.paths.login)[1])

    def _signed_in(self, visit: _Visit) -> bool:
        return self._sessions.recognise(visit.cookies, visit.now) is not None

    def _open_state(self, state: str | None) -> tuple[str, Flow] | None:
        """The key that sealed `state`, and what it says."""
        if not state:
            return None
        try:
            key_id, data = self._state_box.open_keyed(state)
            return key_id, unpack_flow(data)
        except BadData:
            return None

    def _return_address(self, visit: _Visit, flow: Flow) -> str | None:
        """None when the rest of a long address is gone."""
        try:
            return self._safe(unpack_address(flow.address + self._cookies.rest(visit.cookies, flow)))
        except BadData:
            return None

    def _safe(self, return_to: str | None) -> str:
        """Where a browser may go. Not to our own addresses: a sign-in that returns to one goes round in circles."""
        target = self._targets.safe(return_to)
        return HOME if unquote(re.split("[?#]", target, maxsplit=1)[0]) in self._own else target

    def _flow_secrets(self, key_id: str, flow: Flow, binding: bytes) -> FlowSecrets:
        return flow_secrets(lambda label, *parts: self._ring.derive(key_id, label, *parts), binding, flow.id)

    # Shared answers

    def _rejected(self, visit: _Visit, why: str) -> Response:
        _log.info("%s a callback is refused: %s", visit.request_id, why)  # anybody can send one
        return html(400, pages.bad_callback(self.paths.login))

    def _unavailable(self, visit: _Visit, error: ProviderUnavailable, retry: str) -> Response:
        self._failed(visit, error)
        body = pages.unavailable("Sign-in is not available right now", error.public, retry, passes=True)
        return html(503, body, headers={"retry-after": _RETRY_SECONDS})

    def _failed(self, visit: _Visit, error: GatewayError) -> None:
        _log.warning("%s sign-in failed: %s", visit.request_id, error)

    def _not_understood(self, reason: str, login: str) -> Response:
        return html(502, pages.not_understood(reason, login))
