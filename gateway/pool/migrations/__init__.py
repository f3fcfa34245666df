"""Bring an older database to the tables of today, step by step.

Imported only when there is something to migrate: Alembic takes longer to load than a pool to start.
"""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def upgrade(connection: sa.Connection, version: str) -> None:
    """Run the steps that follow `version`, in the connection's own transaction."""
    config = Config()
    config.set_main_option("script_location", "gateway.pool:migrations")
    config.attributes["connection"] = connection
    command.stamp(config, version)
    command.upgrade(config, "head")
