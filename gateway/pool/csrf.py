"""Tell a form that our own page sent from one that another site made the browser send.

The browser's own word decides where there is one: `Sec-Fetch-Site`, else `Origin`. Where there is none (scripts, old
browsers) Cognito's double submit does: a hidden field `_csrf` repeats the cookie `XSRF-TOKEN`. The pair alone would
fail against somebody who can set cookies for the whole site (a sibling subdomain, another port of `localhost`); and
asking for it always would refuse the first of two tabs that were opened at once, whose cookie the second replaced.
"""

import hmac
import re
import uuid
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

COOKIE: Final = "XSRF-TOKEN"
FIELD: Final = "_csrf"
_SHAPE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_token() -> str:
    """A fresh token: a random UUID, as Cognito's."""
    return str(uuid.uuid4())


def token_of(cookie: str) -> str:
    """The browser's token if the cookie holds one, else a fresh one. Other tabs keep working, since it is reused."""
    return cookie if _SHAPE.fullmatch(cookie) else new_token()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What one POST tells about where it came from; an absent header is an empty text."""

    cookie: str
    field: str
    host: str
    origin: str = ""
    fetch_site: str = ""


def is_ours(submission: Submission, own_origin: str) -> bool:
    """Whether the form came from a page of this pool. `own_origin` is the configured one (`https://login.example`)."""
    said = _browser_says(submission, own_origin)
    return _pair_matches(submission) if said is None else said


def _pair_matches(submission: Submission) -> bool:
    if not _SHAPE.fullmatch(submission.cookie):
        return False
    return hmac.compare_digest(submission.cookie.encode(), submission.field.encode())


def _browser_says(submission: Submission, own_origin: str) -> bool | None:
    """None when the browser does not say. "same-site" is a sibling and not ours; "none" is the person's own doing, such
    as the reload of a posted page, and proves nothing about the form."""
    if submission.fetch_site:
        return None if submission.fetch_site == "none" else submission.fetch_site == "same-origin"
    if submission.origin:
        return submission.origin == own_origin or _host_of(submission.origin) == submission.host
    return None


def _host_of(origin: str) -> str | None:
    """Host and port of an Origin header; None for `null` and for what is no address."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
