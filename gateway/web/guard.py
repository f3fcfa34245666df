"""Judge one request: whose it is, what its path needs, and what follows."""

from collections.abc import Sequence
from itertools import product
from operator import itemgetter
from typing import NamedTuple

from gateway.core.asgi import HeaderList
from gateway.core.gate import Decision, SessionFacts, decide, decide_sound
from gateway.core.rules import AccessRules, Requirement, strictest
from gateway.errors import BadToken, ProviderUnavailable, StoreUnavailable
from gateway.sessions.service import Live, Refreshed, Sessions
from gateway.web.bearer import Bearers, bearer_token
from gateway.web.requests import cookie_lines


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

    def glance(self, method: str, raw_path: bytes, headers: HeaderList, now: int) -> Verdict | None:
        """The verdict where somebody's session is sound, as nearly always; else None, and `judge`
        must be asked. Raises BadPath."""
        heard = [line for line in headers if line[0] in _HEARD]
        if len(heard) != 1 or heard[0][0] != b"cookie":
            return None
        live = self._sessions.recognise((heard[0][1],), now)
        if live is None or now >= live.sound_until:
            return None
        requirement = self._rules.judge(method, raw_path)
        return Verdict(decide_sound(requirement, live.groups), requirement, live)

    async def judge(self, method: str, raw_path: bytes, headers: HeaderList, now: int) -> Verdict:
        """The verdict on a request. Raises BadPath."""
        requirement = self._rules.judge(method, raw_path)
        if not _OVERRIDES.isdisjoint(map(_NAME, headers)):
            asked = [self._rules.judge(other, raw_path) for other in _overriding(headers)]
            requirement = strictest([requirement, *asked])
        cookies = cookie_lines(headers)
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


def _spellings(name: bytes) -> list[bytes]:
    """The name with every mix of `-`, `_` and `.`: some applications take them for one another."""
    first, *rest = name.split(b"-")
    mixes = product(b"-_.", repeat=len(rest))
    return [first + b"".join(b"%c%b" % pair for pair in zip(mix, rest, strict=True)) for mix in mixes]


# Frameworks that honour one of these serve another method than the one in the request line: both must be allowed.
_OVERRIDES = frozenset(
    spelling
    for name in (b"x-http-method-override", b"x-http-method", b"x-method-override")
    for spelling in _spellings(name)
)
_NAME = itemgetter(0)

_HEARD = _OVERRIDES | {b"cookie", b"authorization"}
"""The header lines that a verdict can depend on."""


def _overriding(headers: HeaderList) -> list[str]:
    """The methods that override headers name, whichever of them an application would believe."""
    values = [value for name, value in headers if name in _OVERRIDES]
    return [method.strip().decode("latin-1").upper() for value in values for method in value.split(b",")]


def _facts(live: Live | None) -> SessionFacts | None:
    return None if live is None else live.facts
