"""What Alembic runs for each command: on the connection that it was handed, whose transaction is not its own."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
