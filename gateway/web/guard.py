"""Judge one request: whose it is, what its path needs, and what follows."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from gateway.core.asgi import HeaderList
from gateway.core.forwarding import HEARD, METHOD_OVERRIDES
from gateway.core.gate import Decision, SessionFacts, decide, decide_sound
from gateway.core.rules import AccessRules, Requirement, strictest
from gateway.errors import BadToken, ProviderUnavailable, StoreUnavailable
from gateway.sessions.service import Live, Refreshed, Sessions
from gateway.web.bearer import Bearers, bearer_token
from gateway.web.requests import request_cookies


class Verdict(NamedTuple):
    """What was decided. `set_cookies` ride on the answer; `bad_token`: a bearer token came, and does not verify."""

    decision: Decision
    requirement: Requirement
    live: Live | None
    set_cookies: Sequence[bytes] = ()
    bad_token: bool = False


class Guard:
    """Brings together the rules, the session and the gate. Forward-auth and the middleware act on its verdicts."""

    def __init__(
        self, *, rules: AccessRules, sessions: Sessions, bearers: Bearers | None = None, outage_grace: int = 0
    ) -> None:
        self._rules = rules
        self._sessions = sessions
        self._bearers = bearers
        self._outage_grace = outage_grace

    def glance(
        self, method: str, raw_path: bytes, headers: HeaderList, now: int, inner: bytes | None = None
    ) -> Verdict | None:
        """The verdict where somebody's session is sound, as nearly always; else None, and `judge`
        must be asked. `headers`: at least those that are not plain (`Forwarding.split`). `inner`: what an application
        that is mounted below a path finds behind it, which is judged too. Raises BadPath."""
        cookie: bytes | None = None
        for name, value in headers:
            if name in HEARD:
                if cookie is not None or name != b"cookie":
                    return None
                cookie = value
        live = self._sessions.glance(cookie, now) if cookie is not None else None
        if live is None or now >= live.sound_until:
            return None
        requirement = self._rules.judge(method, raw_path)
        if inner is not None:
            requirement = strictest([requirement, self._rules.judge(method, inner)])
        return Verdict(decide_sound(requirement, live.groups), requirement, live)

    async def judge(
        self, method: str, raw_path: bytes, headers: HeaderList, now: int, inner: bytes | None = None
    ) -> Verdict:
        """The verdict on a request; arguments as for `glance`. Raises BadPath."""
        requirement = self._rules.judge(method, raw_path)
        # An application may believe an override: both methods must be allowed.
        if inner is not None or not METHOD_OVERRIDES.isdisjoint(map(_NAME, headers)):
            paths = (raw_path,) if inner is None else (raw_path, inner)
            methods = (method, *_overriding(headers))
            requirement = strictest([self._rules.judge(asked, path) for asked in methods for path in paths])
        cookies = request_cookies(headers)
        live = self._sessions.recognise(cookies, now) if cookies else None
        if live is None and self._bearers is not None and (token := bearer_token(headers)):
            return await self._judge_bearer(self._bearers, requirement, token, now)
        decision = decide(requirement, _facts(live), now, outage_grace=self._outage_grace)
        if decision is Decision.REFRESH and live is not None:
            return await self._refresh(requirement, live, now)
        return Verdict(decision, requirement, live)

    async def _judge_bearer(self, bearers: Bearers, requirement: Requirement, token: str, now: int) -> Verdict:
        try:
            live = await bearers.recognise(token, now)
        except BadToken:
            return Verdict(decide(requirement, None, now), requirement, None, bad_token=True)
        except ProviderUnavailable:
            decision = decide(requirement, None, now)
            unknown = Decision.UNAVAILABLE if decision is Decision.SIGN_IN else decision
            return Verdict(unknown, requirement, None)
        return Verdict(decide(requirement, _facts(live), now), requirement, live)

    async def _refresh(self, requirement: Requirement, live: Live, now: int) -> Verdict:
        """Refresh first, then decide again. A provider or store that is down signs nobody out."""
        try:
            outcome = await self._sessions.refresh(live, now)
        except (ProviderUnavailable, StoreUnavailable):
            decision = decide(requirement, _facts(live), now, can_refresh=False, outage_grace=self._outage_grace)
            return Verdict(decision, requirement, live)
        if not isinstance(outcome, Refreshed):
            return Verdict(decide(requirement, None, now), requirement, None)
        facts = _facts(outcome.live)
        decision = decide(requirement, facts, now, can_refresh=False, outage_grace=self._outage_grace)
        return Verdict(decision, requirement, outcome.live, outcome.set_cookies)


_NAME = itemgetter(0)


def _overriding(headers: HeaderList) -> list[str]:
    """The methods that override headers name, whichever of them an application would believe."""
    values = [value for name, value in headers if name in METHOD_OVERRIDES]
    return [method.strip().decode("latin-1").upper() for value in values for method in value.split(b",")]


def _facts(live: Live | None) -> SessionFacts | None:
    return None if live is None else live.facts
