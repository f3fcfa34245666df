"""How sessions are kept: the options of the session service."""

from dataclasses import dataclass

from gateway.core.cookies import CookieSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """Times are in seconds. `kept_claims` None keeps every claim; "sub" is always kept.

    `idle_timeout` None: a session ends by its lifetime alone. `outage_grace`: how long beyond the access token's end
    the gate still trusts a session while the provider is down. `cache_bytes` bounds the sessions kept open in memory.
    """

    cookie: CookieSpec
    idle_cookie: CookieSpec
    lifetime: int
    idle_timeout: int | None = None
    outage_grace: int = 0
    kept_claims: frozenset[str] | None = None
    groups_claim: str = "cognito:groups"
    keep_id_token: bool = False
    keep_access_token: bool = False
    cache_bytes: int = 64 * 1024 * 1024
