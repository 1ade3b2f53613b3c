"""Snapshot: one consistent, read-only view of the database, which waits for nothing long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from tasks.postgres.planner import PLANNER

# A statement that takes longer is given up; the others of the look go on.
STATEMENT_SECONDS = 20
# A lock that a migration or a reset holds is not waited for; seconds.
LOCK_SECONDS = 2
_SETTINGS = {
    **PLANNER,
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
}


@contextmanager
def snapshot() -> Iterator[None]:
    """Run queries of this thread's connection in one REPEATABLE READ, READ ONLY transaction.

    The settings end with it, also behind a pooler.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for name, value in _SETTINGS.items():
                cursor.execute(f"SET LOCAL {name} = '{value}'")
        yield
