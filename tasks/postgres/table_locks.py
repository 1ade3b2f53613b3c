"""Table locks: taken by a migration beside workers and web processes that go on."""

from __future__ import annotations

import random
import time
from typing import Any

from django.db import OperationalError, migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

# Shorter than PostgreSQL's `deadlock_timeout`, which may end a statement of a client instead of the
# migration. Other statements wait behind a lock that is waited for, so the pauses are longer.
TRY_SECONDS = 0.2
PAUSE_SECONDS = (0.2, 0.6)
LIMIT_SECONDS = 60.0


class LockTables(migrations.RunPython):
    """Lock tables before a migration changes them; its first operation, and its last to go back.

    Statements that go on use the tables in other orders: a migration that locks one after the other
    would deadlock with them. Gives up what it has and tries again while it cannot have all; raises
    OperationalError after a minute.
    """

    def __init__(self, *tables: str) -> None:
        def lock(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
            _lock(schema_editor, tables)

        super().__init__(lock, lock)
        self.tables = tables

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return how to write this operation in a migration."""
        return type(self).__name__, list(self.tables), {}


def _lock(schema_editor: BaseDatabaseSchemaEditor, tables: tuple[str, ...]) -> None:
    until = time.monotonic() + LIMIT_SECONDS
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(
        sql.SQL(", ").join(map(sql.Identifier, tables))
    )
    while True:
        try:
            with (
                transaction.atomic(using=schema_editor.connection.alias),
                schema_editor.connection.cursor() as cursor,
            ):
                cursor.execute(f"SET LOCAL lock_timeout = {TRY_SECONDS * 1000:.0f}")
                cursor.execute(statement)
                cursor.execute("SET LOCAL lock_timeout = DEFAULT")
            return
        except OperationalError as error:
            passes = isinstance(error.__cause__, LockNotAvailable | DeadlockDetected)
            if not passes or time.monotonic() > until:
                raise
        time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311
