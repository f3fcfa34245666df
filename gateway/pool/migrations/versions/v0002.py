"""Credential versions, one namespace for all names, and the end of a rotated refresh token.

The tables are written out here, not taken from the schema: they are as they were on this day.
"""

import logging
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_log = logging.getLogger(__name__)

_LONGEST_GRACE: Final = 60
"""Seconds: the longest grace that a client could be given, since 0.1 did not keep what a token was rotated with."""

_OLDER: Final = sa.text("""
    SELECT identifiers.kind, identifiers.value, identifiers.sub
    FROM identifiers JOIN users ON users.sub = identifiers.sub
    ORDER BY users.created_at, users.sub, identifiers.kind
""")


def upgrade() -> None:
    """Keep users, grants and browser sessions; codes by e-mail and half-done sign-ins begin anew."""
    for table in ("users", "grants", "sso_sessions"):
        op.add_column(table, _credential_version())
    op.add_column("refresh_tokens", sa.Column("usable_until", sa.BigInteger))
    op.execute(sa.text("UPDATE refresh_tokens SET usable_until = rotated_at + :grace").bindparams(grace=_LONGEST_GRACE))
    _end_what_older_passwords_began()
    _remake_codes_and_challenges()
    _make_names()


def _credential_version() -> sa.Column[int]:
    return sa.Column("credential_version", sa.Integer, nullable=False, server_default="1")


def _end_what_older_passwords_began() -> None:
    # 0.1 could leave them behind when a reset and a sign-in met.
    user = "FROM users WHERE users.sub = {table}.sub AND users.password_set_at > {table}.auth_time"
    op.execute(
        f"UPDATE grants SET revoked_at = auth_time WHERE revoked_at IS NULL"  # noqa: S608 - nothing from outside
        f" AND EXISTS (SELECT 1 {user.format(table='grants')})"
    )
    op.execute(f"DELETE FROM sso_sessions WHERE EXISTS (SELECT 1 {user.format(table='sso_sessions')})")  # noqa: S608


def _remake_codes_and_challenges() -> None:
    op.drop_table("one_time_codes")
    op.create_table(
        "one_time_codes",
        sa.Column("purpose", sa.String(32), primary_key=True),
        sa.Column("subject", sa.String(160), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("address", sa.LargeBinary, nullable=False),
        sa.Column("credential_version", sa.Integer, nullable=False),
        sa.Column("tries_left", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.drop_table("challenges")
    op.create_table(
        "challenges",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("sub", sa.String(36), nullable=False),
        sa.Column("client_id", sa.String(128), nullable=False),
        sa.Column("credential_version", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )


def _make_names() -> None:
    names = op.create_table(
        "names",
        sa.Column("value", sa.String(2048), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("sub", sa.String(36), sa.ForeignKey("users.sub", ondelete="CASCADE"), nullable=False, index=True),
    )
    kept: dict[str, dict[str, str]] = {}
    for kind, value, sub in op.get_bind().execute(_OLDER):
        owner = kept.setdefault(value, {"value": value, "kind": kind, "sub": sub})["sub"]
        if owner != sub:
            _log.warning("database: user %s keeps a name that user %s had as %s", owner, sub, kind)
    op.bulk_insert(names, list(kept.values()))
    op.drop_table("identifiers")
