"""Judge what a pool's file says by the rules of the pool itself, before anything starts.

`known` holds the values above in the file that are valid themselves; what is missing there cannot be judged by.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gateway.pool.attribute_names import CUSTOM
from gateway.pool.attributes import check_attributes, check_username, normalised
from gateway.pool.claims import SCOPE_ATTRIBUTES
from gateway.pool.options import PasswordPolicy, PoolOptions
from gateway.pool.records import STANDARD_ATTRIBUTES, VERIFIED_FLAGS, AppClient
from gateway.pool.refusals import PoolError
from gateway.pool.scopes import OIDC_SCOPES
from gateway.settings.findings import Finding
from gateway.settings.strength import PUBLISHED_PASSWORDS
from gateway.settings.suggest import nearest

if TYPE_CHECKING:
    from gateway.settings.pool import Client, SeedUser  # they are judged here while they are made there

Known = Mapping[str, Any]

_OPEN_CLIENT = AppClient(client_id="any")


def twins(key: str, names: Sequence[str]) -> Iterator[Finding]:
    """Entries whose name another entry above has."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Finding((index, key), f"is the same as that of entry {names.index(name)}")


def unknown_attributes(names: Iterable[str], custom: Collection[str]) -> Iterator[Finding]:
    """Names that are neither standard attributes nor listed as custom ones, each by its name."""
    own = {name.removeprefix(CUSTOM) for name in custom}
    known = {"sub", *STANDARD_ATTRIBUTES, *VERIFIED_FLAGS, *own, *(CUSTOM + name for name in own)}
    for name in names:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {close}?" if close else "custom ones must be in custom_attributes"
            yield Finding((name,), f"{name} is not an attribute of this pool; {hint}")


def client_mistakes(clients: "Sequence[Client]", known: Known) -> Iterator[Finding]:
    """Two clients of one id; attributes and scopes that do not exist, and scopes that can never be granted."""
    yield from twins("client_id", [client.client_id for client in clients])
    for index, client in enumerate(clients):
        for key in ("read_attributes", "write_attributes"):
            names = sorted(getattr(client, key) or ())
            for mistake in unknown_attributes(names, known.get("custom_attributes", ())):
                yield Finding((index, key), mistake.message)
        yield from (Finding((index, *each.path), each.message) for each in _scope_mistakes(client, known))


def _scope_mistakes(client: "Client", known: Known) -> Iterator[Finding]:
    servers = known.get("resource_servers")
    if servers is not None:
        scopes = {*OIDC_SCOPES, *(f"{server.identifier}/{name}" for server in servers for name in server.scopes)}
        for index, scope in enumerate(client.allowed_scopes):
            if scope not in scopes:
                close = nearest(scope, scopes)
                hint = f"did you mean {close}?" if close else "resource_servers defines further ones"
                yield Finding(("allowed_scopes", index), f"is not a scope of this pool; {hint}")
    reader = AppClient(client_id="any", allowed_scopes=(), read_attributes=client.read_attributes)
    for scope in client.allowed_scopes:
        if not reader.may_grant(scope):
            missing = ", ".join(name for name in sorted(SCOPE_ATTRIBUTES[scope]) if not reader.may_read(name))
            yield Finding(("read_attributes",), f"lacks {missing}, which the scope {scope} of allowed_scopes needs")


def seed_mistakes(users: "Sequence[SeedUser]", known: Known) -> Iterator[Finding]:
    """Users that the pool would refuse at a sign-up page, or that no group or attribute of the file fits."""
    options = _options(known)
    yield from twins("username", [normalised(options, user.username) for user in users])
    groups = [group.name for group in known["groups"]] if "groups" in known else None
    for index, user in enumerate(users):
        yield from (Finding((index, *each.path), each.message) for each in _user_mistakes(user, options, groups, known))


def _user_mistakes(
    user: "SeedUser", options: PoolOptions, groups: Collection[str] | None, known: Known
) -> Iterator[Finding]:
    if problem := _refusal(lambda: check_username(options, user.username)):
        yield Finding(("username",), problem)
    yield from _password_mistakes(user, known)
    for unknown in unknown_attributes(user.attributes, options.custom_attributes):
        yield Finding(("attributes", *unknown.path), unknown.message)
    yield from _value_mistakes(user, options)
    for index, name in enumerate(user.groups):
        if groups is not None and name not in groups:
            close = nearest(name, groups)
            yield Finding(("groups", index), "is not in groups" + (f"; did you mean {close}?" if close else ""))


def _password_mistakes(user: "SeedUser", known: Known) -> Iterator[Finding]:
    from gateway.pool.passwords import judge  # noqa: PLC0415 - needs the extra `pool`, which the gateway can do without

    if user.password.reveal() in PUBLISHED_PASSWORDS and not known.get("development", True):
        yield Finding(("password",), "is published in the documentation, so anybody knows it")
    elif "password_policy" in known:
        policy = PasswordPolicy(**dict(known["password_policy"]))
        if problem := _refusal(lambda: judge(policy, user.password.reveal())):
            yield Finding(("password",), problem)


def _value_mistakes(user: "SeedUser", options: PoolOptions) -> Iterator[Finding]:
    for name, value in user.attributes.items():
        if name in STANDARD_ATTRIBUTES and (
            problem := _refusal(lambda: check_attributes(options, _OPEN_CLIENT, {name: value}))  # noqa: B023 - called at once
        ):
            yield Finding(("attributes", name), problem)


def _refusal(check: Callable[[], None]) -> str | None:
    """The pool's own words for what it refuses."""
    try:
        check()
    except PoolError as refused:
        return refused.public
    return None


def _options(known: Known) -> PoolOptions:
    """A pool with the names of this file, and nothing required."""
    return PoolOptions(
        pool_id="eu-west-1_Any",
        base_url="http://localhost",
        development=True,  # else its default mailbox would be refused
        username_attributes=known.get("username_attributes", ()),
        alias_attributes=known.get("alias_attributes", ()),
        required_attributes=(),
        custom_attributes=known.get("custom_attributes", ()),
        case_sensitive=known.get("case_sensitive", False),
    )
