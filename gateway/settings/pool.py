"""The pool's settings as frozen values: identity, clients, groups, users, mail."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from gateway.core.cognito import CLIENT_ID
from gateway.settings.findings import Finding, Refused
from gateway.settings.pool_rules import client_mistakes, seed_mistakes, twins, unknown_attributes
from gateway.settings.schema import Section
from gateway.settings.values import (
    CallbackUrl,
    Host,
    Issuer,
    Network,
    Origin,
    PoolId,
    Port,
    SealingSecret,
    Seconds,
    SecretText,
    Text,
)

HOUR = 3600
DAY = 24 * HOUR


def _client_id(value: str) -> str:
    if not CLIENT_ID.fullmatch(value):
        raise ValueError("must be 1 to 128 letters, digits, _ or +")
    return value


def _between(low: int, high: int, words: str) -> AfterValidator:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


def _not_built(name: str, instead: str) -> BeforeValidator:
    """For what Cognito has and this pool has not: whoever asks for it must not believe that it works."""

    def check(value: object) -> object:
        if value == name:
            raise ValueError(f"{name} is not built yet: {instead}")
        return value

    return BeforeValidator(check)


ClientId = Annotated[str, AfterValidator(_client_id)]
ShortLived = Annotated[Seconds, _between(300, DAY, "between 5m and 1d")]
LongLived = Annotated[Seconds, _between(HOUR, 3650 * DAY, "between 1h and 3650d")]
Grace = Annotated[Seconds, _between(0, 60, "at most 60s")]
Alias = Literal["email", "phone_number", "preferred_username"]
VerifiedBy = Annotated[Literal["email"], _not_built("phone_number", "no text message is sent, codes go by e-mail only")]
Flow = Annotated[Literal["code", "client_credentials"], _not_built("implicit", "use code, with PKCE")]


class PoolListen(Section):
    """Where the pool listens. Loopback unless said otherwise."""

    host: Host = "127.0.0.1"
    port: Port = 8001


class PasswordPolicy(Section):
    """What a new password must look like."""

    minimum_length: int = Field(default=8, ge=6, le=99)
    require_lowercase: bool = True
    require_uppercase: bool = True
    require_numbers: bool = True
    require_symbols: bool = True
    temporary_password_days: int = Field(default=7, ge=1, le=365)


class Client(Section):
    """An application that may ask the pool for tokens, with the fields of Cognito's app client."""

    client_id: ClientId
    client_name: str = ""
    client_secret: SecretText | None = Field(default=None, description="Absent for a public client.")
    callback_urls: tuple[CallbackUrl, ...] = Field(default=(), max_length=100)
    logout_urls: tuple[CallbackUrl, ...] = Field(default=(), max_length=100)
    default_redirect_uri: CallbackUrl | None = None
    allowed_flows: frozenset[Flow] = Field(default=frozenset({"code"}), min_length=1)
    allowed_scopes: tuple[Text, ...] = Field(default=("openid", "email", "profile"), max_length=50)
    access_token_validity: ShortLived = HOUR
    id_token_validity: ShortLived = HOUR
    refresh_token_validity: LongLived = 30 * DAY
    prevent_user_existence_errors: bool = True
    enable_token_revocation: bool = True
    refresh_token_rotation: bool = False
    rotation_grace: Grace = 0
    read_attributes: frozenset[Text] | None = Field(default=None, description="Absent: all standard attributes.")
    write_attributes: frozenset[Text] | None = Field(default=None, description="Absent: all standard attributes.")
    require_pkce: bool = Field(default=False, description="Refuse an authorize request without code_challenge.")

    @field_validator("default_redirect_uri")
    @classmethod
    def _registered(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None and url not in info.data.get("callback_urls", (url,)):
            raise ValueError("must be one of callback_urls")
        return url

    @field_validator("allowed_flows")
    @classmethod
    def _flows_fit(cls, flows: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        if "client_credentials" in flows and len(flows) > 1:
            raise ValueError("client_credentials must be the only one")
        if "client_credentials" in flows and info.data.get("client_secret", "") is None:
            raise ValueError("client_credentials needs a client_secret")
        return flows


class Group(Section):
    """A group of users; the lowest precedence wins."""

    name: Text = Field(max_length=128)
    description: str = Field(default="", max_length=2048)
    precedence: int | None = Field(default=None, ge=0)
    role_arn: Text | None = None


class SeedUser(Section):
    """A user that exists, confirmed and verified, from the first start on; an existing one is left alone."""

    username: Text = Field(max_length=128)
    password: SecretText
    attributes: dict[Text, str] = Field(default={})
    groups: tuple[Text, ...] = ()
    temporary_password: bool = Field(default=False, description="The first sign-in asks for a new password.")


class ResourceServer(Section):
    """An API and its scopes: name and description of each."""

    identifier: Text = Field(max_length=256)
    name: str = ""
    scopes: dict[Text, str] = Field(default={})


class Mail(Section):
    """Where e-mails go."""

    kind: Literal["mailbox", "folder", "smtp"] = Field(
        default="folder", description="mailbox: a page of the pool, in development mode only."
    )
    sender: Text = "no-reply@verificationemail.com"
    folder: Text | None = Field(default=None, validate_default=True, description="Where .eml files are written.")
    smtp_host: Host = "localhost"
    smtp_port: Port = 587
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: Text | None = None
    smtp_password: SecretText | None = None
    verification_subject: Text = "Your verification code"
    verification_body: str = Field(default="Your verification code is {####}. ", description="{####} becomes the code.")

    @field_validator("folder")
    @classmethod
    def _named(cls, folder: str | None, info: ValidationInfo) -> str | None:
        if folder is None and info.data.get("kind") == "folder":
            raise ValueError("is needed when kind is folder")
        return folder

    @field_validator("verification_body")
    @classmethod
    def _has_a_place(cls, body: str) -> str:
        if "{####}" not in body:
            raise ValueError("must contain {####}, the place of the code")
        return body


class Argon2(Section):
    """Cost of one password hash; memory in KiB. workers bounds how many run at once."""

    time_cost: int = Field(default=3, ge=1, le=100)
    memory: int = Field(default=65536, ge=8192, le=4 * 2**20)
    parallelism: int = Field(default=4, ge=1, le=64)
    workers: int = Field(default=2, ge=1, le=64)
    waiting: int = Field(default=64, ge=1, le=10_000)


class PoolSettings(Section):
    """The whole file."""

    # What others are judged by stands above them: a validator sees the valid values of the fields before its own.

    pool_id: PoolId
    name: str = Field(default="", description="Shown on the pages.")
    development: bool = Field(
        default=False, description="Show a start page, and allow the mailbox page, where anybody may read codes."
    )
    listen: PoolListen = PoolListen()
    base_url: Origin | None = Field(
        default=None, description="What browsers see; absent, http://localhost and the port."
    )
    issuer: Issuer | None = Field(default=None, description="iss of every token; absent, base_url and the pool's id.")
    database: SecretText = Field(
        default="sqlite+aiosqlite:///pool.db",
        validate_default=True,
        description="SQLAlchemy address; may hold a password.",
    )
    secret: SealingSecret | None = Field(default=None, description="Protects private keys and codes at rest.")
    username_attributes: tuple[Alias, ...] = ("email",)
    alias_attributes: tuple[Alias, ...] = ()
    custom_attributes: tuple[Text, ...] = Field(default=(), max_length=50)
    required_attributes: tuple[Text, ...] = ("email",)
    auto_verified: tuple[VerifiedBy, ...] = ("email",)
    case_sensitive: bool = False
    allow_sign_up: bool = True
    sign_ups_per_hour: int = Field(default=30, ge=1)
    sign_in_failures_per_hour: int = Field(default=300, ge=1, description="Wrong passwords from one address.")
    password_policy: PasswordPolicy = PasswordPolicy()
    resource_servers: tuple[ResourceServer, ...] = ()
    clients: tuple[Client, ...] = Field(min_length=1)
    groups: tuple[Group, ...] = ()
    users: tuple[SeedUser, ...] = ()
    mail: Mail
    argon2: Argon2 = Argon2()
    exact_discovery: bool = Field(default=False, description="Serve only the metadata that Amazon serves.")
    hsts: Seconds = Field(
        default=365 * 86400, description="Tell browsers to use https only, where base_url is https; 0s sends nothing."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed, for limits per address. Empty: nobody's."
    )

    @field_validator("alias_attributes")
    @classmethod
    def _one_kind(cls, aliases: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if aliases and info.data.get("username_attributes"):
            raise ValueError("cannot be combined with username_attributes; set the latter to []")
        return aliases

    @field_validator("required_attributes")
    @classmethod
    def _attributes_exist(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        unknown = unknown_attributes(names, info.data.get("custom_attributes", ()))
        _refuse(Finding((names.index(str(each.path[0])),), each.message) for each in unknown)
        return names

    @field_validator("clients")
    @classmethod
    def _clients_fit(cls, clients: tuple[Client, ...], info: ValidationInfo) -> tuple[Client, ...]:
        _refuse(client_mistakes(clients, info.data))
        return clients

    @field_validator("groups")
    @classmethod
    def _groups_differ(cls, groups: tuple[Group, ...]) -> tuple[Group, ...]:
        _refuse(twins("name", [group.name for group in groups]))
        return groups

    @field_validator("users")
    @classmethod
    def _users_fit(cls, users: tuple[SeedUser, ...], info: ValidationInfo) -> tuple[SeedUser, ...]:
        _refuse(seed_mistakes(users, info.data))
        return users

    @field_validator("mail")
    @classmethod
    def _mailbox_is_for_development(cls, mail: Mail, info: ValidationInfo) -> Mail:
        if mail.kind == "mailbox" and info.data.get("development") is False:
            raise Refused(Finding(("kind",), "mailbox shows codes to anybody: it needs development: true"))
        return mail


def _refuse(mistakes: Iterable[Finding]) -> None:
    if found := list(mistakes):
        raise Refused(*found)
