"""Every expression of an alert or a panel names metrics and labels that /metrics exports."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from tasks import lifecycle
from tasks.counts import FAMILIES, counts
from tasks.invariants import FIRST, Report, store_report
from tasks.metrics.store import add_counts
from tasks.models import AlertRule, Breaker, Schedule
from tests.factories import make_task, make_worker
from tests.monitoring.files import Expression, expressions
from tests.workers import database_url

# Prometheus' own.
OF_THE_SERVER = {"up": set[str]()}
OF_EACH_SERIES = {"job", "instance"}


@pytest.fixture
def exported(transactional_db: None, api: APIClient) -> dict[str, set[str]]:
    """Return the labels of every metric of a scrape in which each has a sample."""
    for family in FAMILIES.values():
        values = [f"a-{label}" for label in family.labels]
        if family.buckets:
            counts.observe(family, *values, seconds=[0.1])
        else:
            counts.add(family, *values)
    with connection.cursor() as cursor:
        add_counts(cursor)
        # A table that was never vacuumed has no age.
        cursor.execute("VACUUM tasks_task")
    make_task("PENDING")
    make_worker()
    Breaker.objects.create(name="llm")
    next_at = timezone.now() + dt.timedelta(hours=1)
    Schedule.objects.create(name="nightly", kind="test.script", cron="0 3 * * *", next_at=next_at)
    AlertRule.objects.create(name="A long queue", condition="backlog", threshold=1)
    lifecycle.pause_queue("default")
    store_report(Report(at=timezone.now(), seconds=0.1, next_after=FIRST))
    with psycopg.connect(database_url()) as holder:
        holder.execute("DECLARE snapshot CURSOR FOR SELECT FROM tasks_task")
        answer = api.get("/metrics")
    assert answer.status_code == 200
    labels: dict[str, set[str]] = {}
    for metric in text_string_to_metric_families(answer.content.decode()):
        for sample in metric.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def test_every_expression_names_metrics_and_labels_that_exist(
    exported: dict[str, set[str]],
) -> None:
    known = exported | OF_THE_SERVER
    wrong = [text for each in expressions() for text in _wrong(each, known)]
    assert wrong == []


def test_every_metric_is_in_a_panel_or_an_alert(exported: dict[str, set[str]]) -> None:
    used = {name for each in expressions() for name, _ in each.metrics()}
    # Of a histogram the buckets, or the count, are enough.
    unused = {name for name in exported if name not in used and not name.endswith(_PARTS)}
    assert unused == {"tasks_stored", "tasks_table_live_rows"}


def test_a_wrong_name_is_found() -> None:
    known = {"tasks_due": {"queue"}}
    for text, legend in (
        ("tasks_dew", ""),
        ('tasks_due{kind="a"}', ""),
        ("sum by (kind) (tasks_due)", ""),
        ("tasks_due", "{{kind}}"),
    ):
        assert _wrong(Expression("place", text, legend), known)
    assert not _wrong(Expression("p", 'sum by (queue) (tasks_due{queue="a"})', "{{queue}}"), known)


_PARTS = ("_bucket", "_count", "_sum", "_created")


def _wrong(expression: Expression, known: dict[str, set[str]]) -> list[str]:
    wrong = []
    available = set(OF_EACH_SERIES)
    for name, labels in expression.metrics():
        if name not in known:
            wrong.append(f"{expression.place}: no metric {name}")
            continue
        available |= known[name]
        wrong += [
            f"{expression.place}: {name} has no label {label}"
            for label in labels - known[name] - OF_EACH_SERIES
        ]
    wrong += [
        f"{expression.place}: no metric of it has the label {label}"
        for label in expression.grouping_labels() - available
    ]
    return wrong
