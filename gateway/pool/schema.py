"""The tables of a pool's database, and their version.

A change here needs a step in `migrations/versions/`, and its number below.
"""

from typing import Final

import sqlalchemy as sa

VERSION: Final = "0002"
"""The revision of these tables."""
OLDER: Final = ("0001",)
"""The revisions that can be brought to it; 0001 is release 0.1, which kept no version."""

metadata = sa.MetaData()

versions = sa.Table("alembic_version", metadata, sa.Column("version_num", sa.String(32), primary_key=True))


def _credential_version() -> sa.Column[int]:
    return sa.Column("credential_version", sa.Integer, nullable=False, server_default="1")


users = sa.Table(
    "users",
    metadata,
    sa.Column("sub", sa.String(36), primary_key=True),
    sa.Column("username", sa.String(128), nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("attributes", sa.JSON, nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("password_set_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    _credential_version(),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("sub", sa.ForeignKey("users.sub", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_name", sa.String(128), primary_key=True, index=True),
)

names = sa.Table(
    "names",
    metadata,
    sa.Column("value", sa.String(2048), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("sub", sa.ForeignKey("users.sub", ondelete="CASCADE"), nullable=False, index=True),
)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("key", sa.String(160), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("until", sa.BigInteger, nullable=False),
)

one_time_codes = sa.Table(
    "one_time_codes",
    metadata,
    sa.Column("purpose", sa.String(32), primary_key=True),
    sa.Column("subject", sa.String(160), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("address", sa.LargeBinary, nullable=False),
    sa.Column("credential_version", sa.Integer, nullable=False),
    sa.Column("tries_left", sa.Integer, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("origin_jti", sa.String(36), primary_key=True),
    sa.Column("client_id", sa.String(128), nullable=False),
    sa.Column("sub", sa.String(36), nullable=False, index=True),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("auth_time", sa.BigInteger, nullable=False),
    sa.Column("nonce", sa.Text),
    sa.Column("resource", sa.Text),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
    _credential_version(),
)

authorization_codes = sa.Table(
    "authorization_codes",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("origin_jti", sa.String(36), nullable=False),
    sa.Column("client_id", sa.String(128), nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("code_challenge", sa.Text),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("spent_at", sa.BigInteger),
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("origin_jti", sa.String(36), nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sa.Column("rotated_at", sa.BigInteger),
    sa.Column("usable_until", sa.BigInteger),
)

challenges = sa.Table(
    "challenges",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("sub", sa.String(36), nullable=False),
    sa.Column("client_id", sa.String(128), nullable=False),
    sa.Column("credential_version", sa.Integer, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
)

sso_sessions = sa.Table(
    "sso_sessions",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("sub", sa.String(36), nullable=False, index=True),
    sa.Column("auth_time", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    _credential_version(),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
)
