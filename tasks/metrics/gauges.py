"""Gauges: what is so now, read from the database without a look at all tasks of a big table."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from django.db.models import Count
from django.db.models.functions import Now
from prometheus_client.core import GaugeMetricFamily, Metric

from tasks import stats
from tasks.models import Alert, AlertRule, Breaker, Schedule, Worker
from tasks.stats.database import database_figures
from tasks.stats.queues import QueuesStatus, queues_status

# The tables in which rows change with each task.
_BUSY = ("tasks_task", "tasks_attempt", "procrastinate_jobs", "tasks_worker", "tasks_metricsum")
# Of schedules, those that are due first.
_MOST_SCHEDULES = 200
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
_CONNECTIONS = """
    SELECT
        CASE
            WHEN application_name LIKE 'worker %%' THEN application_name
            WHEN application_name = '' THEN 'other'
            ELSE left(application_name, 40)
        END,
        coalesce(state, 'unknown'), count(*)
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
    GROUP BY 1, 2
    ORDER BY 3 DESC
    LIMIT 50
"""


def gauges() -> Iterator[Metric]:
    """Yield every gauge."""
    yield from _queues(queues_status())
    yield from _workers()
    yield from _services()
    yield from _alerts()
    yield from _database()


def _queues(status: QueuesStatus) -> Iterator[Metric]:
    waiting = _gauge("tasks_waiting", "Tasks that wait, due or scheduled.", "queue")
    running = _gauge("tasks_running", "Tasks that run.", "queue")
    oldest = _gauge(
        "tasks_oldest_due_age_seconds",
        "Since when the task that is due for longest has waited; 0 without one.",
        "queue",
    )
    paused = _gauge("tasks_queue_paused", "1 for a queue that is paused.", "queue")
    for queue, load in status.by_queue.items():
        waiting.add_metric([queue], load.pending)
        running.add_metric([queue], load.processing)
        oldest.add_metric([queue], load.oldest_age or 0.0)
        paused.add_metric([queue], load.paused)
    lanes = _gauge("tasks_lane", "Tasks that wait, by lane; dlq: dead letters.", "lane")
    for lane, count in status.document()["queues"].items():
        lanes.add_metric([lane], count)
    states = _gauge("tasks_stored", "Tasks in the database, by status.", "status")
    for state, count in status.states.items():
        states.add_metric([state], count)
    yield from (waiting, running, oldest, paused, lanes, states)


def _workers() -> Iterator[Metric]:
    states = _gauge("tasks_workers", "Worker processes, by state.", "state")
    for state, count in stats.worker_counts().items():
        states.add_metric([state], count)
    slots = _gauge("tasks_worker_slots", "Tasks that a worker can run at once.", "worker")
    busy = _gauge("tasks_worker_busy", "Tasks that a worker ran at its last heartbeat.", "worker")
    memory = _gauge(
        "tasks_worker_memory_bytes", "Memory of a worker without its children.", "worker"
    )
    for worker in Worker.objects.all():
        slots.add_metric([worker.name], worker.concurrency)
        busy.add_metric([worker.name], worker.running)
        memory.add_metric([worker.name], worker.memory_kib * 1024)
    yield from (states, slots, busy, memory)


def _services() -> Iterator[Metric]:
    circuits = _gauge("tasks_circuit_open", "1 while calls to a service are held back.", "service")
    for breaker in Breaker.objects.all():
        circuits.add_metric([breaker.name], breaker.open_until is not None)
    late = _gauge(
        "tasks_schedule_late_seconds", "Since when a schedule is due; 0 if it is not.", "schedule"
    )
    enabled = Schedule.objects.filter(enabled=True).order_by("next_at")
    for name, next_at, now in enabled.values_list("name", "next_at", Now())[:_MOST_SCHEDULES]:
        late.add_metric([name], max(0.0, (now - next_at).total_seconds()))
    yield from (circuits, late)


def _alerts() -> Iterator[Metric]:
    alerts = _gauge("tasks_alerts_open", "Alerts that are open, by rule.", "rule")
    open_alerts = dict(Alert.objects.open().order_by().values_list("rule").annotate(n=Count("*")))
    for pk, name in AlertRule.objects.values_list("pk", "name"):
        alerts.add_metric([name], open_alerts.get(pk, 0))
    yield alerts


def _database() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, {"names": list(_BUSY)})
        tables = cursor.fetchall()
        cursor.execute(_CONNECTIONS)
        sessions = cursor.fetchall()
    figures = database_figures()
    live = _gauge("tasks_table_live_rows", "Rows of a table, estimated.", "table")
    dead = _gauge("tasks_table_dead_rows", "Dead rows of a table, estimated.", "table")
    vacuumed = _gauge(
        "tasks_table_vacuum_age_seconds", "Since the last vacuum of a table, if any.", "table"
    )
    heap = _gauge("tasks_table_bytes", "Size of a table without its indexes.", "table")
    indexes = _gauge("tasks_index_bytes", "Size of all indexes of a table.", "table")
    for name, live_rows, dead_rows, age, table_bytes, index_bytes in tables:
        live.add_metric([name], live_rows)
        dead.add_metric([name], dead_rows)
        if age is not None:
            vacuumed.add_metric([name], age)
        heap.add_metric([name], table_bytes)
        indexes.add_metric([name], index_bytes)
    connections = _gauge(
        "tasks_database_connections", "Connections to the database.", "purpose", "state"
    )
    for purpose, state, count in sessions:
        connections.add_metric([purpose, state], count)
    yield from (live, dead, vacuumed, heap, indexes, connections)
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
        (
            "tasks_oldest_xmin_transactions",
            "How many transactions ago the oldest snapshot in use was taken.",
            figures.oldest_xmin_transactions,
        ),
    ):
        gauge = _gauge(name, help)
        gauge.add_metric([], value)
        yield gauge


def _gauge(name: str, help: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, labels=labels)
