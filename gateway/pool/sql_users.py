"""Keep users and their identifiers in SQL."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.pool import schema
from gateway.pool.database import Database
from gateway.pool.records import User, UserStatus
from gateway.pool.stored import Identifier, Taken


class SqlUsers:
    """`UserStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, identifiers: Sequence[Identifier]) -> None:
        """Add a new user. Raises Taken, and adds nothing, if an identifier belongs to another."""
        async with self._database.write() as connection:
            await connection.execute(sa.insert(schema.users).values(**_row(user)))
            await _set_groups(connection, user)
            await _claim(connection, user.sub, identifiers)

    async def get(self, sub: str) -> User | None:
        """The user of that `sub`."""
        async with self._database.read() as connection:
            return await _load(connection, sub)

    async def find(self, identifiers: Sequence[Identifier]) -> User | None:
        """The user of the first identifier that belongs to anybody."""
        async with self._database.read() as connection:
            for identifier in identifiers:
                sub = await _owner(connection, identifier)
                if sub is not None:
                    return await _load(connection, sub)
        return None

    async def change(
        self, sub: str, change: Callable[[User], User], identifiers: Sequence[Identifier] = ()
    ) -> User | None:
        """Replace the user by `change(user)` and add identifiers. Raises Taken, and changes nothing."""
        async with self._database.write() as connection:
            user = await _load(connection, sub, lock=True)
            if user is None:
                return None
            changed = change(user)
            await connection.execute(sa.update(schema.users).where(schema.users.c.sub == sub).values(**_row(changed)))
            await _set_groups(connection, changed)
            await _claim(connection, sub, identifiers)
            return changed


async def _owner(connection: AsyncConnection, identifier: Identifier) -> str | None:
    table = schema.identifiers
    query = sa.select(table.c.sub).where(table.c.kind == identifier.kind, table.c.value == identifier.value)
    owner: str | None = (await connection.execute(query)).scalar_one_or_none()
    return owner


async def _claim(connection: AsyncConnection, sub: str, identifiers: Sequence[Identifier]) -> None:
    for identifier in identifiers:
        owner = await _owner(connection, identifier)
        if owner == sub:
            continue
        if owner is not None:
            raise Taken(identifier)
        row = {"kind": identifier.kind, "value": identifier.value, "sub": sub}
        try:
            await connection.execute(sa.insert(schema.identifiers).values(**row))
        except IntegrityError as error:  # a server database, where another writer came between the two statements
            raise Taken(identifier) from error


async def _set_groups(connection: AsyncConnection, user: User) -> None:
    table = schema.memberships
    await connection.execute(sa.delete(table).where(table.c.sub == user.sub))
    if user.groups:
        await connection.execute(sa.insert(table), [{"sub": user.sub, "group_name": name} for name in user.groups])


async def _load(connection: AsyncConnection, sub: str, *, lock: bool = False) -> User | None:
    query = sa.select(schema.users).where(schema.users.c.sub == sub)
    row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    if row is None:
        return None
    table = schema.memberships
    names = sa.select(table.c.group_name).where(table.c.sub == sub).order_by(table.c.group_name)
    groups = tuple((await connection.execute(names)).scalars())
    return User(**{**row, "status": UserStatus(row["status"]), "groups": groups})


def _row(user: User) -> dict[str, Any]:
    return {
        "sub": user.sub,
        "username": user.username,
        "status": user.status.value,
        "enabled": user.enabled,
        "attributes": dict(user.attributes),
        "password_hash": user.password_hash,
        "password_set_at": user.password_set_at,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }
