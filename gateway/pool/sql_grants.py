"""Keep grants, their codes and their refresh tokens in SQL."""

from dataclasses import asdict

import sqlalchemy as sa

from gateway.pool import schema
from gateway.pool.sql_store import SqlStore
from gateway.pool.stored import AuthorizationCode, Grant, RefreshToken


class SqlGrants(SqlStore):
    """`GrantStore` in SQL."""

    async def add(self, grant: Grant, code: AuthorizationCode) -> None:
        """Keep a new grant and the code that stands for it."""
        row = {**asdict(grant), "scopes": list(grant.scopes)}
        await self._connection.execute(sa.insert(schema.grants).values(**row))
        await self._connection.execute(sa.insert(schema.authorization_codes).values(**asdict(code)))

    async def get(self, origin_jti: str) -> Grant | None:
        """The grant of that family."""
        row = await self._row(schema.grants, schema.grants.c.origin_jti == origin_jti)
        return None if row is None else Grant(**{**row, "scopes": tuple(row["scopes"])})

    async def code(self, digest: bytes) -> AuthorizationCode | None:
        """The code of that digest, spent or not."""
        row = await self._row(schema.authorization_codes, schema.authorization_codes.c.digest == digest)
        return None if row is None else AuthorizationCode(**row)

    async def spend(self, digest: bytes, now: int) -> None:
        """Mark the code spent."""
        table = schema.authorization_codes
        await self._connection.execute(sa.update(table).where(table.c.digest == digest).values(spent_at=now))

    async def open(self, refresh: RefreshToken, until: int) -> None:
        """Keep the first refresh token of a family, and the family's grant until then."""
        table = schema.grants
        extend = sa.update(table).where(table.c.origin_jti == refresh.origin_jti).values(expires_at=until)
        await self._connection.execute(sa.insert(schema.refresh_tokens).values(**asdict(refresh)))
        await self._connection.execute(extend)

    async def refresh_token(self, digest: bytes) -> RefreshToken | None:
        """The refresh token of that digest, rotated or not."""
        row = await self._row(schema.refresh_tokens, schema.refresh_tokens.c.digest == digest)
        return None if row is None else RefreshToken(**row)

    async def rotate(self, digest: bytes, successor: RefreshToken, now: int) -> None:
        """Mark the token rotated, the first time counts, and keep its successor."""
        table = schema.refresh_tokens
        mark = sa.update(table).where(table.c.digest == digest, table.c.rotated_at.is_(None)).values(rotated_at=now)
        await self._connection.execute(mark)
        await self._connection.execute(sa.insert(table).values(**asdict(successor)))

    async def revoke(self, origin_jti: str, now: int) -> None:
        """Revoke the family; the first time counts."""
        await self._revoke(schema.grants.c.origin_jti == origin_jti, now)

    async def revoke_user(self, sub: str, now: int) -> None:
        """Revoke every family of the user."""
        await self._revoke(schema.grants.c.sub == sub, now)

    async def _revoke(self, which: sa.ColumnElement[bool], now: int) -> None:
        mark = sa.update(schema.grants).where(which, schema.grants.c.revoked_at.is_(None)).values(revoked_at=now)
        await self._connection.execute(mark)
