"""Database: its size, its connections, and what keeps vacuum from removing dead rows."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

# `greatest` ignores nulls. The oldest xmin keeps vacuum from removing what is newer and dead.
_FIGURES = """
    SELECT
        current_database(),
        pg_database_size(current_database()),
        current_setting('max_connections')::int,
        count(*) FILTER (WHERE backend_type = 'client backend'),
        coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
            FILTER (WHERE backend_type = 'client backend' AND datname = current_database()), 0
        )::float8,
        coalesce(max(age(backend_xmin)) FILTER (WHERE datname = current_database()), 0)
    FROM pg_stat_activity
"""


@dataclass(frozen=True, kw_only=True)
class DatabaseFigures:
    """What one statement reads; `connections` are those to every database of the server."""

    name: str
    bytes: int
    max_connections: int
    connections: int
    oldest_transaction_seconds: float
    oldest_xmin_transactions: int


def database_figures() -> DatabaseFigures:
    """Read the figures of the database."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES)
        name, size, most, sessions, oldest, xmin = cursor.fetchone()
    return DatabaseFigures(
        name=name,
        bytes=size,
        max_connections=most,
        connections=sessions,
        oldest_transaction_seconds=oldest,
        oldest_xmin_transactions=xmin,
    )
