"""What makes one user pool, as frozen values: passwords, seed users, e-mail, hashing, and the whole.

Lifetimes are seconds. Wrong combinations are a `ValueError` that names the field and the value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from gateway.core.cognito import POOL_ID
from gateway.core.secret import Secret
from gateway.pool.attribute_names import AttributeNames
from gateway.pool.records import AppClient, Group, ResourceServer, within

SignInAttribute = Literal["email", "phone_number", "preferred_username"]


def _check_base_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or url != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"base_url: {url!r} is not scheme://host[:port]")


def _unique(name: str, values: list[str]) -> None:
    doubled = sorted({value for value in values if values.count(value) > 1})
    if doubled:
        raise ValueError(f"{name}: {doubled[0]!r} appears twice")


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
        within("minimum_length", self.minimum_length, 6, 99)
        within("temporary_password_days", self.temporary_password_days, 1, 365)


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


def _named_client(client: AppClient, names: AttributeNames) -> AppClient:
    read = names.every(f"clients: {client.client_id}: read_attributes", client.read_attributes)
    write = names.every(f"clients: {client.client_id}: write_attributes", client.write_attributes)
    return replace(client, read_attributes=read, write_attributes=write)


def _named_user(user: SeedUser, names: AttributeNames) -> SeedUser:
    attributes = {names.full(f"users: {user.username}", name): value for name, value in user.attributes.items()}
    return replace(user, attributes=attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """Everything that makes one user pool. `base_url` is what browsers and clients see; no path, no slash at its end.

    `issuer` is the `iss` of every token: by default `{base_url}/{pool_id}`; an Amazon-shaped one may be set, discovery
    stays at `{base_url}/{pool_id}/.well-known/…`. `secret` protects the private keys at rest and the hashes of the
    6-digit codes; without it both rest on the secrecy of the database alone. `exact_discovery` serves Amazon's keys
    only. Custom attributes may be named without their prefix. `trusted_proxies` are networks (CIDR) whose
    X-Forwarded-For says whom limits per address count.
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
    sign_in_failures_per_hour: int = 300
    policy: PasswordPolicy = PasswordPolicy()
    clients: tuple[AppClient, ...] = ()
    groups: tuple[Group, ...] = ()
    seed_users: tuple[SeedUser, ...] = ()
    resource_servers: tuple[ResourceServer, ...] = ()
    mail: MailOptions = MailOptions()
    argon2: Argon2Profile = RFC_9106_LOW_MEMORY
    exact_discovery: bool = False
    hsts: int = 365 * 86400
    trusted_proxies: tuple[str, ...] = ()
    development: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work, and derive the issuer."""
        if not POOL_ID.fullmatch(self.pool_id):
            raise ValueError(f"pool_id: {self.pool_id!r} is not shaped like 'eu-west-1_AbC123xyz'")
        _check_base_url(self.base_url)
        if not self.issuer:
            object.__setattr__(self, "issuer", f"{self.base_url}/{self.pool_id}")
        if self.username_attributes and self.alias_attributes:
            raise ValueError("alias_attributes: cannot be combined with username_attributes")
        if "preferred_username" in {*self.username_attributes, *self.alias_attributes} & set(self.required_attributes):
            raise ValueError("required_attributes: preferred_username is a sign-in name, which sign-up does not take")
        if self.mail.kind == "mailbox" and not self.development:
            raise ValueError("mail.kind: 'mailbox' shows codes to anybody: it needs development mode")
        self._name_attributes()
        _unique("clients", [client.client_id for client in self.clients])
        _unique("groups", [group.name for group in self.groups])

    def _name_attributes(self) -> None:
        names = AttributeNames(self.custom_attributes)
        required = tuple(names.full("required_attributes", name) for name in self.required_attributes)
        object.__setattr__(self, "custom_attributes", names.custom)
        object.__setattr__(self, "required_attributes", required)
        object.__setattr__(self, "clients", tuple(_named_client(client, names) for client in self.clients))
        object.__setattr__(self, "seed_users", tuple(_named_user(user, names) for user in self.seed_users))

    @property
    def well_known(self) -> str:
        """Where the issuer's documents are served: the pool's own address, whatever the issuer string says."""
        return f"{self.base_url}/{self.pool_id}/.well-known"

    def client(self, client_id: str | None) -> AppClient | None:
        """The client of that id, or `None`."""
        return next((client for client in self.clients if client.client_id == client_id), None)
