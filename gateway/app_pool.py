"""The pool's composition root: its settings become its options, and it gets the real clock."""

import time
from collections.abc import Callable
from pathlib import Path

from gateway.errors import SettingsError
from gateway.pool.app import Pool, create_pool
from gateway.pool.mail import Mail
from gateway.pool.options import Argon2Profile, MailOptions, PasswordPolicy, PoolOptions, SeedUser
from gateway.pool.records import AppClient, Group, ResourceServer
from gateway.settings import pool as given
from gateway.settings.pool import PoolSettings


def build_pool(
    settings: PoolSettings,
    *,
    clock: Callable[[], float] = time.time,
    show: Callable[[Mail], None] | None = None,
) -> Pool:
    """The pool as an ASGI application; `show` receives each e-mail of the development mailbox. Raises SettingsError."""
    return create_pool(pool_options(settings), clock=clock, show=show)


def pool_options(settings: PoolSettings) -> PoolOptions:
    """The options that the settings describe. `base_url` is loopback's name when the file does not say.

    Raises SettingsError where the pool is stricter than the form of its file.
    """
    try:
        return _options(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _options(settings: PoolSettings) -> PoolOptions:
    return PoolOptions(
        pool_id=settings.pool_id,
        name=settings.name,
        base_url=settings.base_url or f"http://localhost:{settings.listen.port}",
        issuer=settings.issuer or "",
        database=settings.database.reveal(),
        secret=settings.secret,
        username_attributes=settings.username_attributes,
        alias_attributes=settings.alias_attributes,
        required_attributes=settings.required_attributes,
        custom_attributes=settings.custom_attributes,
        auto_verified=settings.auto_verified,
        case_sensitive=settings.case_sensitive,
        allow_sign_up=settings.allow_sign_up,
        sign_ups_per_hour=settings.sign_ups_per_hour,
        sign_in_failures_per_hour=settings.sign_in_failures_per_hour,
        policy=PasswordPolicy(**dict(settings.password_policy)),
        clients=tuple(AppClient(**dict(client)) for client in settings.clients),
        groups=tuple(Group(**dict(group)) for group in settings.groups),
        seed_users=tuple(SeedUser(**dict(user)) for user in settings.users),
        resource_servers=tuple(ResourceServer(**dict(server)) for server in settings.resource_servers),
        mail=_mail(settings.mail),
        argon2=Argon2Profile(**dict(settings.argon2)),
        exact_discovery=settings.exact_discovery,
        hsts=settings.hsts,
        trusted_proxies=settings.trusted_proxies,
        development=settings.development,
    )


def _mail(mail: given.Mail) -> MailOptions:
    values = dict(mail)
    return MailOptions(**{**values, "folder": Path(mail.folder) if mail.folder else None})
