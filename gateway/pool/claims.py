"""Compose what tokens and userInfo say about a user."""

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from gateway.pool.records import STANDARD_ATTRIBUTES, AppClient, Group, User

_CONTACT: Final = ("email", "phone_number")

SCOPE_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "email": frozenset({"email", "email_verified"}),
    "phone": frozenset({"phone_number", "phone_number_verified"}),
    "profile": frozenset(STANDARD_ATTRIBUTES) - set(_CONTACT),
}


def visible(user: User, scopes: Collection[str], client: AppClient) -> dict[str, str]:
    """The attributes that the scopes and the client's read attributes let through (reference §1.6, §2.1).

    `openid` alone shows all that the client may read; further scopes narrow it. Custom attributes come with `profile`.
    """
    readable = {name: value for name, value in user.attributes.items() if client.may_read(name)}
    asked = [SCOPE_ATTRIBUTES[scope] for scope in scopes if scope in SCOPE_ATTRIBUTES]
    if not asked:
        return readable if "openid" in scopes else {}
    wanted = frozenset[str]().union(*asked)
    custom = "profile" in scopes
    return {n: v for n, v in readable.items() if n in wanted or (custom and n.startswith("custom:"))}


def readable_scopes(scopes: Collection[str], client: AppClient) -> bool:
    """Whether the client may read an address and its verified flag where a scope names it; if not, Cognito refuses the
    grant (§1.5). The scope `profile` stands for whatever of it the client may read.
    """
    return all(client.may_grant(scope) for scope in scopes)


def typed(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Attributes as an ID token has them: verified flags boolean, `updated_at` a number, `address` an object."""
    return {name: _typed(name, value) for name, value in attributes.items()}


def _typed(name: str, value: str) -> Any:
    if name.endswith("_verified"):
        return value == "true"
    if name == "updated_at" and value.isascii() and value.isdigit():
        return int(value)
    return {"formatted": value} if name == "address" else value


def user_info(user: User, scopes: Collection[str], client: AppClient) -> dict[str, str]:
    """userInfo's answer: every value a string, `username` without prefix, no groups."""
    return {"sub": user.sub, **visible(user, scopes, client), "username": user.username}


def group_claims(user: User, groups: Sequence[Group]) -> dict[str, Any]:
    """`cognito:groups` in order of precedence, for both tokens; nothing without a group."""
    names = [group.name for group in _ranked(user, groups)]
    return {"cognito:groups": names} if names else {}


def role_claims(user: User, groups: Sequence[Group]) -> dict[str, Any]:
    """The roles of the user's groups, for the ID token alone (§2.1, §2.2); nothing when no group has one."""
    mine = _ranked(user, groups)
    roles = list(dict.fromkeys(group.role_arn for group in mine if group.role_arn))
    return {"cognito:roles": roles, **_preferred_role(mine)} if roles else {}


def _ranked(user: User, groups: Sequence[Group]) -> list[Group]:
    known = {group.name: group for group in groups}
    return sorted((known.get(name, Group(name=name)) for name in user.groups), key=_rank)


def _rank(group: Group) -> tuple[float, str]:
    return (float("inf") if group.precedence is None else group.precedence, group.name)


def _preferred_role(groups: Sequence[Group]) -> dict[str, str]:
    # Two groups of the same lowest precedence with different roles: no claim (user-pools-user-groups).
    with_role = [group for group in groups if group.role_arn]
    first = {group.role_arn for group in with_role if group.precedence == with_role[0].precedence}
    role = with_role[0].role_arn
    return {"cognito:preferred_role": role} if len(first) == 1 and role else {}


def at_hash(access_token: str) -> str:
    """The left half of the access token's SHA-256 (OpenID Connect Core §3.1.3.6)."""
    digest = hashlib.sha256(access_token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
