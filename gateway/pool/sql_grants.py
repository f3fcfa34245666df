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

    async def rotate(self, digest: bytes, successor: RefreshToken, now: int, usable_until: int) -> None:
        """Mark the token rotated and usable until then, the first time counts, and keep its successor."""
        table = schema.refresh_tokens
        mark = sa.update(table).where(table.c.digest == digest, table.c.rotated_at.is_(None))
        await self._connection.execute(mark.values(rotated_at=now, usable_until=usable_until))
        await self._connection.execute(sa.insert(table).values(**asdict(successor)))

    async def revoke(self, origin_jti: str, now: int) -> None:
        """Revoke the family; the first time counts."""
        table = schema.grants
        mark = sa.update(table).where(table.c.origin_jti == origin_jti, table.c.revoked_at.is_(None))
        await self._connection.execute(mark.values(revoked_at=now))
