"""A database of a pool that fails when it is told to."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from gateway.pool.backend import Backend


class Faults:
    """Lets so many statements pass, and fails the next."""

    def __init__(self, passing: int | None) -> None:
        self.passing = passing
        self.seen = 0

    def __call__(self, *_: object) -> None:
        self.seen += 1
        if self.passing is not None and self.seen > self.passing:
            raise sqlite3.OperationalError("disk I/O error")


@contextmanager
def faults(backend: Backend, passing: int | None) -> Iterator[Faults]:
    """Statements and commits fail from then on."""
    engine, found = backend.storage.database.engine.sync_engine, Faults(passing)  # type: ignore[attr-defined]
    events = ("before_cursor_execute", "commit")
    for event in events:
        sa.event.listen(engine, event, found)
    try:
        yield found
    finally:
        for event in events:
            sa.event.remove(engine, event, found)
