"""Migrations: whether the database has all of this code's."""

from __future__ import annotations

from functools import cache

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


class MigrationsMissing(Exception):
    """The database lacks a migration of this code; the message is a sentence with the remedy."""


@cache
def require_migrations() -> None:
    """Raise MigrationsMissing unless all are applied; once they are, the answer is cached."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsMissing(
            "The database lacks migrations of this version: run manage.py migrate."
        )
