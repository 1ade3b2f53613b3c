"""Database: its size, its connections, and what keeps vacuum from removing dead rows."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

# The connections of clients. To a role without `pg_read_all_stats` the server hides what the
# sessions of other roles are, and when their transactions began, but not their users and databases.
IS_CLIENT = """
    (backend_type = 'client backend'
        OR backend_type IS NULL AND usename IS NOT NULL AND datname IS NOT NULL)
"""
_FIGURES = f"""
    SELECT
        current_database(),
        pg_database_size(current_database()),
        current_setting('max_connections')::int,
        count(*) FILTER (WHERE {IS_CLIENT}),
        coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
            FILTER (WHERE {IS_CLIENT} AND datname = current_database()), 0
        )::float8
    FROM pg_stat_activity
"""  # noqa: S608 our own names

# What keeps vacuum from removing rows that died since, the oldest of each sort: sessions of this
# database, standbys that report their queries, replication slots, and prepared transactions.
# Not a VACUUM: the server ignores its snapshot.
_HOLDERS = """
    SELECT DISTINCT ON (holder) holder, name, transactions
    FROM (
        SELECT
            coalesce(
                backend_type,
                CASE WHEN usename IS NULL THEN 'server process' ELSE 'session of another role' END
            ),
            left(application_name, 40),
            greatest(age(backend_xid), age(backend_xmin))
        FROM pg_stat_activity
        WHERE (datname = current_database() OR backend_type = 'walsender')
            AND pid <> pg_backend_pid()
            AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
        UNION ALL
        SELECT 'replication slot', slot_name, age(xmin) FROM pg_replication_slots
        UNION ALL
        SELECT 'prepared transaction', owner, age(transaction)
        FROM pg_prepared_xacts
        WHERE database = current_database()
    ) AS held (holder, name, transactions)
    WHERE transactions IS NOT NULL
    ORDER BY holder, transactions DESC
"""


@dataclass(frozen=True, kw_only=True)
class DatabaseFigures:
    """What one statement reads; `connections` are those to every database of the server."""

    name: str
    bytes: int
    max_connections: int
    connections: int
    oldest_transaction_seconds: float


def database_figures() -> DatabaseFigures:
    """Read the figures of the database."""
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES)
        name, size, most, sessions, oldest = cursor.fetchone()
    return DatabaseFigures(
        name=name,
        bytes=size,
        max_connections=most,
        connections=sessions,
        oldest_transaction_seconds=oldest,
    )


@dataclass(frozen=True)
class SnapshotHolder:
    """What keeps vacuum from removing rows that died within so many transactions."""

    # A backend type or what stands for one that is hidden, `replication slot`, or `prepared
    # transaction`.
    holder: str
    name: str
    transactions: int


def snapshot_holders() -> list[SnapshotHolder]:
    """Read the oldest holder of each sort, the oldest of all first."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS)
        holders = [SnapshotHolder(*row) for row in cursor.fetchall()]
    return sorted(holders, key=lambda each: -each.transactions)
