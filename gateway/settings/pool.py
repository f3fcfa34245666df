"""The pool's settings as frozen values: identity, clients, groups, users, mail."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.settings.schema import Section
from gateway.settings.values import (
    CallbackUrl,
    Host,
    Network,
    Origin,
    Port,
    SealingSecret,
    Seconds,
    SecretText,
    Text,
    WebUrl,
)

HOUR = 3600
DAY = 24 * HOUR

_POOL_ID = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+_[A-Za-z0-9]{1,55}")
_CLIENT_ID = re.compile(r"[\w+]{1,128}", re.ASCII)


def _pool_id(value: str) -> str:
    if not _POOL_ID.fullmatch(value):
        raise ValueError("is not shaped like eu-west-1_AbC123xyz")
    return value


def _client_id(value: str) -> str:
    if not _CLIENT_ID.fullmatch(value):
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


PoolId = Annotated[str, AfterValidator(_pool_id)]
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

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if "client_credentials" in self.allowed_flows and len(self.allowed_flows) > 1:
            raise ValueError("client_credentials must be the only one of allowed_flows")
        if "client_credentials" in self.allowed_flows and self.client_secret is None:
            raise ValueError("client_credentials needs a client_secret")
        if self.default_redirect_uri is not None and self.default_redirect_uri not in self.callback_urls:
            raise ValueError("default_redirect_uri must be one of callback_urls")
        return self


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
    folder: Text | None = Field(default=None, description="Where .eml files are written.")
    smtp_host: Host = "localhost"
    smtp_port: Port = 587
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: Text | None = None
    smtp_password: SecretText | None = None
    verification_subject: Text = "Your verification code"
    verification_body: str = Field(default="Your verification code is {####}. ", description="{####} becomes the code.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "folder" and self.folder is None:
            raise ValueError("folder is needed when kind is folder")
        if "{####}" not in self.verification_body:
            raise ValueError("verification_body must contain {####}, the place of the code")
        return self


class Argon2(Section):
    """Cost of one password hash; memory in KiB. workers bounds how many run at once."""

    time_cost: int = Field(default=3, ge=1, le=100)
    memory: int = Field(default=65536, ge=8192, le=4 * 2**20)
    parallelism: int = Field(default=4, ge=1, le=64)
    workers: int = Field(default=2, ge=1, le=64)
    waiting: int = Field(default=64, ge=1, le=10_000)


class PoolSettings(Section):
    """The whole file."""

    pool_id: PoolId
    name: str = Field(default="", description="Shown on the pages.")
    listen: PoolListen = PoolListen()
    base_url: Origin | None = Field(
        default=None, description="What browsers see; absent, http://localhost and the port."
    )
    issuer: WebUrl | None = Field(default=None, description="iss of every token; absent, base_url and the pool's id.")
    database: SecretText = Field(
        default="sqlite+aiosqlite:///pool.db",
        validate_default=True,
        description="SQLAlchemy address; may hold a password.",
    )
    secret: SealingSecret | None = Field(default=None, description="Protects private keys and codes at rest.")
    username_attributes: tuple[Alias, ...] = ("email",)
    alias_attributes: tuple[Alias, ...] = ()
    required_attributes: tuple[Text, ...] = ("email",)
    custom_attributes: tuple[Text, ...] = Field(default=(), max_length=50)
    auto_verified: tuple[VerifiedBy, ...] = ("email",)
    case_sensitive: bool = False
    allow_sign_up: bool = True
    sign_ups_per_hour: int = Field(default=30, ge=1)
    password_policy: PasswordPolicy = PasswordPolicy()
    clients: tuple[Client, ...] = Field(min_length=1)
    groups: tuple[Group, ...] = ()
    users: tuple[SeedUser, ...] = ()
    resource_servers: tuple[ResourceServer, ...] = ()
    mail: Mail
    argon2: Argon2 = Argon2()
    exact_discovery: bool = Field(default=False, description="Serve only the metadata that Amazon serves.")
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed, for limits per address. Empty: nobody's."
    )
    development: bool = Field(
        default=False, description="Show a start page, and allow the mailbox page, where anybody may read codes."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.alias_attributes and self.username_attributes:
            raise ValueError("alias_attributes cannot be combined with username_attributes; set the latter to []")
        if self.mail.kind == "mailbox" and not self.development:
            raise ValueError("mail.kind mailbox shows codes to anybody: it needs development: true")
        self._no_twins("clients", [client.client_id for client in self.clients])
        self._no_twins("groups", [group.name for group in self.groups])
        self._no_twins("users", [user.username for user in self.users])
        known = {group.name for group in self.groups}
        if not known.issuperset(name for user in self.users for name in user.groups):
            raise ValueError("users have a group that groups does not list")
        return self

    @staticmethod
    def _no_twins(section: str, names: list[str]) -> None:
        if len(set(names)) < len(names):
            raise ValueError(f"{section} has two entries of the same name")
