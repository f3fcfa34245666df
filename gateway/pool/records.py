"""The user pool's records and options, as frozen values.

Everything that another module stores, passes or receives is named here. Times are seconds since the epoch, lifetimes
are seconds. Wrong combinations are a `ValueError` that names the field and the value.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

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

Flow = Literal["code", "implicit", "client_credentials"]
SignInAttribute = Literal["email", "phone_number", "preferred_username"]

_POOL_ID = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+_[A-Za-z0-9]{1,55}")
_CLIENT_ID = re.compile(r"[\w+]{1,128}", re.ASCII)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def check_redirect_url(url: str) -> None:
    """`https`, a custom scheme, or `http` on loopback; absolute, without fragment, at most 1,024 characters (§6.9)."""
    parts = urlsplit(url)
    if not parts.scheme or len(url) > 1024 or re.search(r"[\x00-\x20\x7f\\#]", url):
        raise ValueError(f"{url!r} is not an absolute address without fragment")
    if parts.scheme in {"javascript", "data", "vbscript", "file", "blob", "about"}:
        raise ValueError(f"{url!r} has a scheme that browsers execute")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError(f"{url} cannot use the HTTP protocol.")
    if parts.scheme in {"http", "https"} and (not parts.hostname or "@" in parts.netloc):
        raise ValueError(f"{url!r} has no plain host")


def _check_base_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or url != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"base_url: {url!r} is not scheme://host[:port]")


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is not between {low} and {high}")


def _unique(name: str, values: list[str]) -> None:
    doubled = sorted({value for value in values if values.count(value) > 1})
    if doubled:
        raise ValueError(f"{name}: {doubled[0]!r} appears twice")


class UserStatus(enum.StrEnum):
    """`UserStatus` of the Cognito API."""

    UNCONFIRMED = "UNCONFIRMED"
    CONFIRMED = "CONFIRMED"
    FORCE_CHANGE_PASSWORD = "FORCE_CHANGE_PASSWORD"  # noqa: S105
    RESET_REQUIRED = "RESET_REQUIRED"
    EXTERNAL_PROVIDER = "EXTERNAL_PROVIDER"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account. Attribute values are strings, the verified flags too (`"true"`, `"false"`), as in the API."""

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
class PasswordPolicy:
    """What a new password must look like (reference §6.2: length 6 to 99)."""

    minimum_length: int = 8
    require_lowercase: bool = True
    require_uppercase: bool = True
    require_numbers: bool = True
    require_symbols: bool = True
    temporary_password_days: int = 7

    def __post_init__(self) -> None:
        """Refuse lengths that Cognito refuses."""
        _within("minimum_length", self.minimum_length, 6, 99)
        _within("temporary_password_days", self.temporary_password_days, 1, 365)


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
        if not _CLIENT_ID.fullmatch(self.client_id):
            raise ValueError(f"client_id: {self.client_id!r} is not 1 to 128 letters, digits, '_' or '+'")
        for url in (*self.callback_urls, *self.logout_urls):
            check_redirect_url(url)
        if self.default_redirect_uri is not None and self.default_redirect_uri not in self.callback_urls:
            raise ValueError("default_redirect_uri: must be one of callback_urls")
        self._check_flows()
        _within("access_token_validity", self.access_token_validity, 300, DAY)
        _within("id_token_validity", self.id_token_validity, 300, DAY)
        _within("refresh_token_validity", self.refresh_token_validity, HOUR, 3650 * DAY)
        _within("rotation_grace", self.rotation_grace, 0, 60)

    def _check_flows(self) -> None:
        if "client_credentials" not in self.allowed_flows:
            return
        if len(self.allowed_flows) > 1:
            raise ValueError("allowed_flows: client_credentials must stand alone")
        if self.client_secret is None:
            raise ValueError("allowed_flows: client_credentials needs a client_secret")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedUser:
    """A user that exists, confirmed and verified, from the first start on. An existing one is left alone."""

    username: str
    password: Secret
    attributes: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    temporary_password: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOptions:
    """Where e-mails go. `mailbox` is a page of the pool (development only), `folder` writes .eml files."""

    kind: Literal["mailbox", "folder", "smtp"] = "mailbox"
    sender: str = "no-reply@verificationemail.com"
    folder: Path | None = None
    smtp_host: str = "localhost"
    smtp_port: int = 587
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password: Secret | None = None
    verification_subject: str = "Your verification code"
    verification_body: str = "Your verification code is {####}. "

    def __post_init__(self) -> None:
        """A folder must be named, and a code must have its place in the text (§5.5)."""
        if self.kind == "folder" and self.folder is None:
            raise ValueError("mail.folder: needed when mail.kind is 'folder'")
        if "{####}" not in self.verification_body:
            raise ValueError("mail.verification_body: must contain {####}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2Profile:
    """Cost of one password hash. `memory` is in KiB. `workers` bounds the hashes that run at once (R13)."""

    time_cost: int = 3
    memory: int = 65536
    parallelism: int = 4
    workers: int = 2
    waiting: int = 64


RFC_9106_LOW_MEMORY = Argon2Profile()
"""RFC 9106 §4, second recommended option: 64 MiB, three passes, four lanes."""

CHEAPEST_FOR_TESTS = Argon2Profile(time_cost=1, memory=8, parallelism=1, workers=4)
"""For tests only: no protection at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """Everything that makes one user pool. `base_url` is what browsers and clients see; no path, no slash at its end.

    `issuer` is the `iss` of every token: by default `{base_url}/{pool_id}`; an Amazon-shaped one may be set, discovery
    stays at `{base_url}/{pool_id}/.well-known/…`. `secret` protects the private keys at rest and the hashes of the
    6-digit codes; without it both rest on the secrecy of the database alone. `exact_discovery` serves Amazon's keys
    only.
    """

    pool_id: str
    name: str = ""
    base_url: str
    issuer: str = ""
    database: str = "sqlite+aiosqlite:///pool.db"
    secret: Secret | None = None
    username_attributes: tuple[SignInAttribute, ...] = ("email",)
    alias_attributes: tuple[SignInAttribute, ...] = ()
    required_attributes: tuple[str, ...] = ("email",)
    custom_attributes: tuple[str, ...] = ()
    auto_verified: tuple[Literal["email", "phone_number"], ...] = ("email",)
    case_sensitive: bool = False
    allow_sign_up: bool = True
    sign_ups_per_hour: int = 30
    policy: PasswordPolicy = PasswordPolicy()
    clients: tuple[AppClient, ...] = ()
    groups: tuple[Group, ...] = ()
    seed_users: tuple[SeedUser, ...] = ()
    resource_servers: tuple[ResourceServer, ...] = ()
    mail: MailOptions = MailOptions()
    argon2: Argon2Profile = RFC_9106_LOW_MEMORY
    exact_discovery: bool = False
    development: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work, and derive the issuer."""
        if not _POOL_ID.fullmatch(self.pool_id):
            raise ValueError(f"pool_id: {self.pool_id!r} is not shaped like 'eu-west-1_AbC123xyz'")
        _check_base_url(self.base_url)
        if not self.issuer:
            object.__setattr__(self, "issuer", f"{self.base_url}/{self.pool_id}")
        if self.username_attributes and self.alias_attributes:
            raise ValueError("alias_attributes: cannot be combined with username_attributes")
        if self.mail.kind == "mailbox" and not self.development:
            raise ValueError("mail.kind: 'mailbox' shows codes to anybody: it needs development mode")
        _unique("clients", [client.client_id for client in self.clients])
        _unique("groups", [group.name for group in self.groups])

    @property
    def well_known(self) -> str:
        """Where the issuer's documents are served: the pool's own address, whatever the issuer string says."""
        return f"{self.base_url}/{self.pool_id}/.well-known"

    def client(self, client_id: str | None) -> AppClient | None:
        """The client of that id, or `None`."""
        return next((client for client in self.clients if client.client_id == client_id), None)
