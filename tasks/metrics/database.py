"""Gauges of the database: connections, old transactions, and the tables that change most."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import Metric

from tasks.metrics.gauge import gauge
from tasks.stats.database import IS_CLIENT, database_figures, snapshot_holders

# The tables in which rows change with each task.
_BUSY = ("tasks_task", "tasks_attempt", "procrastinate_jobs", "tasks_worker", "tasks_metricsum")
_TABLES = """
    SELECT
        relname, n_live_tup, n_dead_tup,
        extract(epoch FROM statement_timestamp() - greatest(last_autovacuum, last_vacuum))::float8,
        pg_table_size(relid), pg_indexes_size(relid)
    FROM pg_stat_user_tables
    WHERE relid = ANY (
        SELECT to_regclass(name) FROM unnest(%(names)s::text[]) AS name
    )
"""
# The server admits connections to all of its databases together.
_CONNECTIONS = f"""
    SELECT
        CASE
            WHEN datname <> current_database() THEN 'other database'
            WHEN application_name = '' THEN 'other'
            ELSE left(application_name, 40)
        END,
        coalesce(state, 'unknown'), count(*)
    FROM pg_stat_activity
    WHERE {IS_CLIENT}
    GROUP BY 1, 2
    ORDER BY 3 DESC
    LIMIT 50
"""  # noqa: S608 our own names


def database() -> Iterator[Metric]:
    """Yield the gauges of the database."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, {"names": list(_BUSY)})
        tables = cursor.fetchall()
        cursor.execute(_CONNECTIONS)
        sessions = cursor.fetchall()
    yield from _tables(tables)
    connections = gauge(
        "tasks_database_connections",
        "Connections to the database server, by purpose.",
        "purpose",
        "state",
    )
    for purpose, state, count in sessions:
        connections.add_metric([purpose, state], count)
    xmin = gauge(
        "tasks_oldest_xmin_transactions",
        "How many transactions ago the oldest snapshot in use was taken, by what holds it.",
        "holder",
        "name",
    )
    for held in snapshot_holders():
        xmin.add_metric([held.holder, held.name], held.transactions)
    yield from (connections, xmin)
    figures = database_figures()
    for name, help, value in (
        ("tasks_database_bytes", "Size of the database.", figures.bytes),
        (
            "tasks_database_max_connections",
            "Connections that the server admits.",
            figures.max_connections,
        ),
        (
            "tasks_oldest_transaction_seconds",
            "Age of the oldest open transaction.",
            figures.oldest_transaction_seconds,
        ),
    ):
        single = gauge(name, help)
        single.add_metric([], value)
        yield single


def _tables(rows: list[tuple[str, int, int, float | None, int, int]]) -> Iterator[Metric]:
    live = gauge("tasks_table_live_rows", "Rows of a table, estimated.", "table")
    dead = gauge("tasks_table_dead_rows", "Dead rows of a table, estimated.", "table")
    # `greatest` ignores nulls; a table that was never vacuumed has no age.
    vacuumed = gauge(
        "tasks_table_vacuum_age_seconds", "Since the last vacuum of a table, if any.", "table"
    )
    heap = gauge("tasks_table_bytes", "Size of a table without its indexes.", "table")
    indexes = gauge("tasks_index_bytes", "Size of all indexes of a table.", "table")
    for name, live_rows, dead_rows, age, table_bytes, index_bytes in rows:
        live.add_metric([name], live_rows)
        dead.add_metric([name], dead_rows)
        if age is not None:
            vacuumed.add_metric([name], age)
        heap.add_metric([name], table_bytes)
        indexes.add_metric([name], index_bytes)
    yield from (live, dead, vacuumed, heap, indexes)
