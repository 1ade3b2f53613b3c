"""Migrations: whether the database has all of this code's, and no others."""

from __future__ import annotations

from functools import cache

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader


class MigrationsMissing(Exception):
    """The database lacks a migration of this code; the message is a sentence with the remedy."""


class MigrationsUnknown(Exception):
    """The database has a migration of a newer version; the message is a sentence."""


def import_migrations() -> None:
    """Import the modules of all migrations; otherwise the first check of a process does."""
    MigrationLoader(None)


@cache
def require_migrations() -> None:
    """Raise MigrationsMissing unless all are applied; once they are, the answer is cached."""
    _require(MigrationExecutor(connection))


def require_these_migrations() -> None:
    """Raise MigrationsMissing or MigrationsUnknown unless the database is of this very version."""
    executor = MigrationExecutor(connection)
    _require(executor)
    known = executor.loader.disk_migrations
    if any(key not in known for key in executor.loader.applied_migrations if key[0] == "tasks"):
        raise MigrationsUnknown(
            "The database was migrated by a newer version: use the command of that version."
        )


def _require(executor: MigrationExecutor) -> None:
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsMissing(
            "The database lacks migrations of this version: run manage.py migrate."
        )
