"""Keep grants, their codes and their refresh tokens in SQL."""

from dataclasses import asdict

import sqlalchemy as sa

from gateway.pool import schema
from gateway.pool.database import Database
from gateway.pool.stored import AuthorizationCode, Grant, RefreshToken


class SqlGrants:
    """`GrantStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, grant: Grant, code: AuthorizationCode) -> None:
        """Keep a new grant and the code that stands for it."""
        async with self._database.write() as connection:
            row = {**asdict(grant), "scopes": list(grant.scopes)}
            await connection.execute(sa.insert(schema.grants).values(**row))
            await connection.execute(sa.insert(schema.authorization_codes).values(**asdict(code)))

    async def get(self, origin_jti: str) -> Grant | None:
        """The grant of that family."""
        query = sa.select(schema.grants).where(schema.grants.c.origin_jti == origin_jti)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else Grant(**{**row, "scopes": tuple(row["scopes"])})

    async def code(self, digest: bytes) -> AuthorizationCode | None:
        """The code of that digest, spent or not."""
        query = sa.select(schema.authorization_codes).where(schema.authorization_codes.c.digest == digest)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else AuthorizationCode(**row)

    async def spend(self, digest: bytes, now: int) -> bool:
        """Mark the code spent; False if it was before. Exactly one of many callers gets True."""
        table = schema.authorization_codes
        mark = sa.update(table).where(table.c.digest == digest, table.c.spent_at.is_(None)).values(spent_at=now)
        async with self._database.write() as connection:
            return bool((await connection.execute(mark)).rowcount)

    async def open(self, refresh: RefreshToken, until: int) -> None:
        """Keep the first refresh token of a family, and the family's grant until then."""
        table = schema.grants
        extend = sa.update(table).where(table.c.origin_jti == refresh.origin_jti)
        async with self._database.write() as connection:
            await connection.execute(sa.insert(schema.refresh_tokens).values(**asdict(refresh)))
            await connection.execute(extend.values(expires_at=until))

    async def refresh_token(self, digest: bytes) -> RefreshToken | None:
        """The refresh token of that digest, rotated or not."""
        query = sa.select(schema.refresh_tokens).where(schema.refresh_tokens.c.digest == digest)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else RefreshToken(**row)

    async def rotate(self, digest: bytes, successor: RefreshToken, now: int) -> bool:
        """Mark the token rotated and keep its successor, always. True for the one call that came first."""
        table = schema.refresh_tokens
        mark = sa.update(table).where(table.c.digest == digest, table.c.rotated_at.is_(None)).values(rotated_at=now)
        async with self._database.write() as connection:
            first = bool((await connection.execute(mark)).rowcount)
            await connection.execute(sa.insert(table).values(**asdict(successor)))
            return first

    async def revoke(self, origin_jti: str, now: int) -> None:
        """Revoke the family; the first time counts."""
        await self._revoke(schema.grants.c.origin_jti == origin_jti, now)

    async def revoke_user(self, sub: str, now: int) -> None:
        """Revoke every family of the user."""
        await self._revoke(schema.grants.c.sub == sub, now)

    async def _revoke(self, which: sa.ColumnElement[bool], now: int) -> None:
        mark = sa.update(schema.grants).where(which, schema.grants.c.revoked_at.is_(None)).values(revoked_at=now)
        async with self._database.write() as connection:
            await connection.execute(mark)
