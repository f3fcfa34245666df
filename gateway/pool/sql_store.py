"""What every SQL store does: read a row and lock it, put a row in place of another."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection


class SqlStore:
    """Speaks on a connection that is in a transaction already, and never ends it."""

    def __init__(self, connection: AsyncConnection, *, locks: bool) -> None:
        self._connection = connection
        self._locks = locks

    async def _row(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> dict[str, Any] | None:
        """The one row, locked against others in a unit of work: SQLite has locked the whole file by then."""
        query = sa.select(table).where(*where)
        locked = query.with_for_update() if self._locks else query
        row = (await self._connection.execute(locked)).mappings().one_or_none()
        return None if row is None else dict(row)

    async def _hold(self, key: str) -> None:
        """Keep others from the key until the transaction ends, though there may be no row to lock yet."""
        if self._locks and self._connection.dialect.name == "postgresql":
            await self._connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0))))

    async def _put(self, table: sa.Table, row: Mapping[str, Any]) -> None:
        """Insert the row, or update the one with its primary key."""
        keys = [column.name for column in table.primary_key.columns]
        rest = {name: value for name, value in row.items() if name not in keys}
        statement = self._insert(table, row).on_conflict_do_update(index_elements=keys, set_=rest)
        await self._connection.execute(statement)

    async def _add(self, table: sa.Table, row: Mapping[str, Any]) -> bool:
        """Insert the row unless there is one with its primary key; whether it was inserted."""
        result = await self._connection.execute(self._insert(table, row).on_conflict_do_nothing())
        return bool(result.rowcount)

    def _insert(self, table: sa.Table, row: Mapping[str, Any]) -> Any:
        # The two dialects spell an upsert alike, and SQLAlchemy has no common construct for it.
        insert = postgresql_insert if self._connection.dialect.name == "postgresql" else sqlite_insert
        return insert(table).values(**row)
