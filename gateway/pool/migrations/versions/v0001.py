"""The tables of release 0.1, which made them itself and kept no version: where every older database begins."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing: they are there."""
