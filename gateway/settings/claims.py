"""Know the claims of ID tokens well enough to notice a slip of the pen."""

from collections.abc import Collection
from difflib import get_close_matches

_OF_SCOPES = {
    "email": {"email", "email_verified"},
    "phone": {"phone_number", "phone_number_verified"},
    "profile": {
        "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
    },
}  # fmt: skip
"""OpenID Connect Core §5.4."""
_STANDARD = {
    "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "address", "at_hash",
}.union(*_OF_SCOPES.values())  # fmt: skip
_COGNITO = {
    "cognito:username", "cognito:groups", "cognito:roles", "cognito:preferred_role", "identities", "token_use",
    "event_id", "origin_jti", "jti", "username", "client_id", "scope", "version",
}  # fmt: skip
_ELSEWHERE = {
    "mail", "role", "roles", "group", "groups", "upn", "oid", "tid", "uid", "login", "user", "user_name",
    "username", "nick", "org", "tenant", "realm_access", "scope", "client_id", "jti", "sid", "name_id",
    "displayname", "title", "department",
}  # fmt: skip
"""What other providers really send, and what only resembles a standard claim."""


def likely_claim(claim: str, *, cognito: bool) -> str | None:
    """The known claim that an unknown one resembles; None for known ones, and for those that resemble nothing."""
    known = _STANDARD | (_COGNITO if cognito else _ELSEWHERE)
    if claim in known or claim.startswith("custom:"):
        return None
    found = get_close_matches(claim.lower(), sorted(known | {"groups", "access_token", "id_token"}), n=1, cutoff=0.78)
    return found[0] if found else None


def missing_scope(claim: str, scopes: Collection[str]) -> str | None:
    """The scope that a standard claim of Cognito's needs beside these; with `openid` alone every claim is there."""
    if not _OF_SCOPES.keys() & set(scopes):
        return None
    scope = next((name for name, claims in _OF_SCOPES.items() if claim in claims), None)
    return scope if scope not in scopes else None
