"""Keep users and their identifiers in SQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gateway.pool import schema
from gateway.pool.records import User, UserStatus
from gateway.pool.sql_store import SqlStore
from gateway.pool.stored import Identifier, Taken


class SqlUsers(SqlStore):
    """`UserStore` in SQL."""

    async def add(self, user: User, identifiers: Sequence[Identifier]) -> None:
        """Add a new user. Raises Taken if an identifier belongs to another."""
        await self._connection.execute(sa.insert(schema.users).values(**_as_row(user)))
        await self._set_groups(user)
        await self._claim(user.sub, identifiers)

    async def get(self, sub: str) -> User | None:
        """The user of that `sub`."""
        row = await self._row(schema.users, schema.users.c.sub == sub)
        if row is None:
            return None
        table = schema.memberships
        names = sa.select(table.c.group_name).where(table.c.sub == sub).order_by(table.c.group_name)
        groups = tuple((await self._connection.execute(names)).scalars())
        return User(**{**row, "status": UserStatus(row["status"]), "groups": groups})

    async def find(self, identifiers: Sequence[Identifier]) -> User | None:
        """The user to whom one of the identifiers, value and kind, belongs."""
        for identifier in identifiers:
            name = await self._name(identifier.value)
            if name is not None and name["kind"] == identifier.kind:
                return await self.get(name["sub"])
        return None

    async def save(self, user: User, identifiers: Sequence[Identifier] = ()) -> None:
        """Replace the user of that `sub`, and add identifiers. Raises Taken if one belongs to another."""
        replacing = sa.update(schema.users).where(schema.users.c.sub == user.sub).values(**_as_row(user))
        await self._connection.execute(replacing)
        await self._set_groups(user)
        await self._claim(user.sub, identifiers)

    async def _name(self, value: str) -> dict[str, Any] | None:
        return await self._row(schema.names, schema.names.c.value == value)

    async def _claim(self, sub: str, identifiers: Sequence[Identifier]) -> None:
        for identifier in identifiers:
            row = {"kind": identifier.kind, "value": identifier.value, "sub": sub}
            if await self._add(schema.names, row):
                continue
            name = await self._name(identifier.value)
            if name is not None and name["sub"] != sub:
                if not await self._yields(name, identifier):
                    raise Taken(identifier)
                await self._put(schema.names, row)

    async def _yields(self, name: dict[str, Any], claim: Identifier) -> bool:
        """Whether an address that somebody only said is theirs goes to whoever has proved that it is."""
        owner = await self.get(name["sub"])
        unconfirmed = owner is not None and owner.status is UserStatus.UNCONFIRMED
        return claim.proven and unconfirmed and name["kind"] != "username"

    async def _set_groups(self, user: User) -> None:
        table = schema.memberships
        await self._connection.execute(sa.delete(table).where(table.c.sub == user.sub))
        if user.groups:
            rows = [{"sub": user.sub, "group_name": name} for name in user.groups]
            await self._connection.execute(sa.insert(table), rows)


def _as_row(user: User) -> dict[str, Any]:
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
        "credential_version": user.credential_version,
    }
