"""Errors of the database that end a command: those that an operator mends are one sentence."""

from __future__ import annotations

from django.conf import settings
from django.db.migrations.exceptions import MigrationSchemaMissing
from psycopg import errors

from tasks.error_text import detail_of
from tasks.postgres.failures import is_outage, sqlstate
from tasks.postgres.migrations import MigrationsMissing, require_migrations

_OF_MISSING_TABLES = (errors.UndefinedTable.sqlstate, errors.UndefinedColumn.sqlstate)


def sentence_of(error: BaseException) -> str | None:
    """Return the sentence for an error of the database, or None where only a traceback helps."""
    text = " ".join(detail_of(error).split())
    if is_outage(error):
        if settings.EMBEDDED is not None and not settings.EMBEDDED.is_ready():
            return str(settings.EMBEDDED.not_running)
        return f"The database cannot be reached: {text}"
    state = sqlstate(error)
    if state == errors.InsufficientPrivilege.sqlstate or isinstance(error, MigrationSchemaMissing):
        return f"The role in DATABASE_URL lacks a right: {text}"
    if state in _OF_MISSING_TABLES:
        try:
            require_migrations()
        except MigrationsMissing as missing:
            return str(missing)
    return None
