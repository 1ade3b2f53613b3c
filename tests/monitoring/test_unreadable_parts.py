"""A scrape while something cannot be read: it goes on without that part, and names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from rest_framework.test import APIClient

from tasks.metrics.gauges import GAUGES
from tests.api.test_metrics import samples

PARTS = {"counters", *GAUGES}
# A metric of each part, which has a sample also where nothing is stored.
METRICS = {
    "counters": ("tasks_leases_lost_total", ()),
    "queues": ("tasks_workers", ("alive",)),
    "health": ("tasks_health", ("database",)),
    "database": ("tasks_database_bytes", ()),
}


@contextmanager
def renamed(table: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO unreadable")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE unreadable RENAME TO {table}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("table", "unread"),
    [
        ("tasks_metricsum", "counters"),
        ("tasks_queue", "queues"),
        ("tasks_limit", "limits"),
        ("tasks_breaker", "services"),
        ("tasks_schedule", "services"),
        ("tasks_alert", "alerts"),
    ],
)
def test_a_scrape_leaves_out_only_what_cannot_be_read(
    api: APIClient, caplog: pytest.LogCaptureFixture, table: str, unread: str
) -> None:
    with renamed(table):
        shown = samples(api)
    assert {part: shown["tasks_scrape_success", (part,)] for part in PARTS} == {
        part: float(part != unread) for part in PARTS
    }
    assert {part for part, metric in METRICS.items() if metric in shown} == METRICS.keys() - {
        unread
    }
    (record,) = (each for each in caplog.records if each.name == "tasks.metrics.exposition")
    assert vars(record)["part"] == unread
    assert f'relation "{table}" does not exist' in vars(record)["error"]
    assert {samples(api)["tasks_scrape_success", (part,)] for part in PARTS} == {1}
