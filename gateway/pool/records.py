"""The user pool's records, as frozen values: users, groups, app clients, resource servers.

Times are seconds since the epoch, lifetimes are seconds. Wrong combinations are a `ValueError` that names the field and
the value.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.core.cognito import CLIENT_ID, redirect_url_problem
from gateway.core.secret import Secret

HOUR = 3600
DAY = 86400

STANDARD_ATTRIBUTES: tuple[str, ...] = (
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "email", "phone_number",
    "gender", "birthdate", "address", "locale", "zoneinfo", "picture", "profile", "website", "updated_at",
)  # fmt: skip
"""The 17 standard attributes of a pool, in the order in which sign-up pages ask for them."""

VERIFIED_FLAGS = frozenset({"email_verified", "phone_number_verified"})
"""Readable by a client, never writable by one (user-pool-settings-attributes)."""

_CONTACTS = {"email": "email", "phone": "phone_number"}
"""Scopes that name one attribute, and its verified flag with it."""

Flow = Literal["code", "implicit", "client_credentials"]


def check_redirect_url(url: str) -> None:
    """Raise ValueError for an address that Cognito would not register (§6.9)."""
    if problem := redirect_url_problem(url):
        raise ValueError(f"{url!r} {problem}")


def within(name: str, value: int, low: int, high: int) -> None:
    """Raise ValueError that names the field unless `low <= value <= high`."""
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is not between {low} and {high}")


class UserStatus(enum.StrEnum):
    """`UserStatus` of the Cognito API."""

    UNCONFIRMED = "UNCONFIRMED"
    CONFIRMED = "CONFIRMED"
    FORCE_CHANGE_PASSWORD = "FORCE_CHANGE_PASSWORD"  # noqa: S105
    RESET_REQUIRED = "RESET_REQUIRED"
    EXTERNAL_PROVIDER = "EXTERNAL_PROVIDER"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account. Attribute values are strings, the verified flags too (`"true"`, `"false"`), as in the API.

    `credential_version` counts what ends every older session: a new password, an administrator's reset.
    """

    sub: str
    username: str
    status: UserStatus
    enabled: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    password_set_at: int = 0
    groups: tuple[str, ...] = ()
    created_at: int
    updated_at: int
    credential_version: int = 1

    @property
    def may_sign_in(self) -> bool:
        """Whether the account is usable and owes no step."""
        return self.enabled and self.status in {UserStatus.CONFIRMED, UserStatus.EXTERNAL_PROVIDER}

    def verified(self, attribute: str) -> bool:
        """Whether `email` or `phone_number` has been verified."""
        return self.attributes.get(f"{attribute}_verified") == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of users; the lowest `precedence` wins, `None` is lowest of all."""

    name: str
    description: str = ""
    precedence: int | None = None
    role_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceServer:
    """An API whose scopes clients may be given; `scopes` maps a scope's name to its description."""

    identifier: str
    name: str = ""
    scopes: Mapping[str, str] = field(default_factory=dict)

    def full_scopes(self) -> tuple[str, ...]:
        """The scopes as tokens carry them: `identifier/name`."""
        return tuple(f"{self.identifier}/{name}" for name in self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppClient:
    """An application that may ask the pool for tokens. Without a secret it is a public client."""

    client_id: str
    client_name: str = ""
    client_secret: Secret | None = None
    callback_urls: tuple[str, ...] = ()
    logout_urls: tuple[str, ...] = ()
    default_redirect_uri: str | None = None
    allowed_flows: frozenset[Flow] = frozenset({"code"})
    allowed_scopes: tuple[str, ...] = ("openid", "email", "profile")
    access_token_validity: int = HOUR
    id_token_validity: int = HOUR
    refresh_token_validity: int = 30 * DAY
    prevent_user_existence_errors: bool = True
    enable_token_revocation: bool = True
    refresh_token_rotation: bool = False
    rotation_grace: int = 0
    read_attributes: frozenset[str] | None = None
    write_attributes: frozenset[str] | None = None
    require_pkce: bool = False

    def __post_init__(self) -> None:
        """Refuse what Cognito refuses (reference §2.4, §6.9)."""
        if not CLIENT_ID.fullmatch(self.client_id):
            raise ValueError(f"client_id: {self.client_id!r} is not 1 to 128 letters, digits, '_' or '+'")
        for url in (*self.callback_urls, *self.logout_urls):
            check_redirect_url(url)
        if self.default_redirect_uri is not None and self.default_redirect_uri not in self.callback_urls:
            raise ValueError("default_redirect_uri: must be one of callback_urls")
        self._check_flows()
        self._check_scopes()
        within("access_token_validity", self.access_token_validity, 300, DAY)
        within("id_token_validity", self.id_token_validity, 300, DAY)
        within("refresh_token_validity", self.refresh_token_validity, HOUR, 3650 * DAY)
        within("rotation_grace", self.rotation_grace, 0, 60)

    def _check_flows(self) -> None:
        if "client_credentials" not in self.allowed_flows:
            return
        if len(self.allowed_flows) > 1:
            raise ValueError("allowed_flows: client_credentials must stand alone")
        if self.client_secret is None:
            raise ValueError("allowed_flows: client_credentials needs a client_secret")

    def _check_scopes(self) -> None:
        scope = next((scope for scope in self.allowed_scopes if not self.may_grant(scope)), None)
        if scope is not None:
            name = _CONTACTS[scope]
            raise ValueError(
                f"read_attributes: the scope {scope!r} needs both {name} and {name}_verified, as at Cognito"
            )

    def may_grant(self, scope: str) -> bool:
        """Whether the client may read what the scope names: an address needs its verified flag too (§1.5)."""
        name = _CONTACTS.get(scope)
        return name is None or (self.may_read(name) and self.may_read(f"{name}_verified"))

    def may_read(self, attribute: str) -> bool:
        """Whether the client may read it; by default all standard attributes and the verified flags (§6.9)."""
        if self.read_attributes is not None:
            return attribute in self.read_attributes
        return attribute in STANDARD_ATTRIBUTES or attribute in VERIFIED_FLAGS

    def may_write(self, attribute: str) -> bool:
        """Whether the client may write it; verified flags never."""
        if attribute in VERIFIED_FLAGS:
            return False
        return attribute in (STANDARD_ATTRIBUTES if self.write_attributes is None else self.write_attributes)
