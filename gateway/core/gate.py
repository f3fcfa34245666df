"""Decide what happens to one request: let it pass, sign in, refresh first, or refuse."""

from enum import Enum
from typing import NamedTuple

from gateway.core.asgi import HeaderList
from gateway.core.rules import Requirement


class Decision(Enum):
    """Everything the gate can answer; the mouths (middleware, forward-auth, proxy) act on it."""

    PASS = "pass"  # forward without identity
    PASS_IDENTIFIED = "pass-identified"  # forward with the session's identity headers
    SIGN_IN = "sign-in"  # there is no usable session: see `navigation` for the form of the answer
    REFRESH = "refresh"  # refresh first, then decide again
    FORBIDDEN = "forbidden"  # signing in again would not help (403)
    UNAVAILABLE = "unavailable"  # the provider is down and the session's identity is too old (503, session kept)


class SessionFacts(NamedTuple):
    """What the gate must know of a session that is otherwise usable (not ended, not idle, not past its lifetime)."""

    groups: frozenset[str]
    access_expires_at: int
    refresh_at: int | None


def decide(
    requirement: Requirement,
    session: SessionFacts | None,
    now: int,
    *,
    can_refresh: bool = True,
    outage_grace: int = 0,
) -> Decision:
    """`can_refresh=False`: a refresh was just tried and failed transiently; REFRESH is then never the answer."""
    raise NotImplementedError


class Navigation(Enum):
    """What kind of request asks for something that needs sign-in."""

    REDIRECT = "redirect"
    FRAME = "frame"
    PREFETCH = "prefetch"
    POST_PAGE = "post-page"
    API = "api"


def navigation(method: str, headers: HeaderList) -> Navigation:
    raise NotImplementedError


def is_preflight(method: str, headers: HeaderList) -> bool:
    """Q4: only OPTIONS with Origin and Access-Control-Request-Method is a preflight."""
    raise NotImplementedError
