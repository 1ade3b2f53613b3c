"""`GET /metrics`: what Prometheus reads, and who may."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

import tasks
from tasks import lifecycle
from tasks.counts import ATTEMPTS, MOVED, OTHER, RAN, SUBMITTED, counts
from tasks.lifecycle.labels import _MOST_QUEUES, queue_and_kind
from tasks.metrics.store import add_counts
from tasks.models import (
    Breaker,
    CachedCount,
    MetricSum,
    Queue,
    Worker,
    WorkerState,
)
from tasks.stats import count_cache
from tests.factories import make_task, make_worker
from tests.waiting import wait_until
from tests.workers import database_url, is_idle

pytestmark = pytest.mark.django_db

PATH = "/metrics"


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    counts.take()
    yield
    counts.take()


@pytest.fixture
def closed(settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = settings.API_OPEN_TO_THIS_MACHINE = False


def flush() -> None:
    with connection.cursor() as cursor:
        add_counts(cursor)


def samples(client: APIClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the values by name and values of labels, which are in the order of their names."""
    answer = client.get(PATH)
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_counts_of_processes_are_summed(api: APIClient) -> None:
    for by in (1, 2):
        counts.add(ATTEMPTS, "q", "k", "failed", by=by)
        counts.observe(RAN, "q", "k", seconds=[0.02])
        flush()
    shown = samples(api)
    assert shown["tasks_attempts_total", ("k", "failed", "q")] == 3
    assert shown["tasks_run_seconds_count", ("k", "q")] == 2
    assert shown["tasks_run_seconds_sum", ("k", "q")] == pytest.approx(0.04)
    buckets = {
        labels[1]: value for (name, labels), value in shown.items()
        if name == "tasks_run_seconds_bucket"
    }  # fmt: skip
    assert (buckets["0.01"], buckets["0.025"], buckets["+Inf"]) == (0, 2, 2)


def test_what_could_not_be_written_is_written_later() -> None:
    class Broken:
        def execute(self, *args: Any) -> None:
            raise OSError("away")

    counts.add(ATTEMPTS, "q", "k", "failed")
    with pytest.raises(OSError, match="away"):
        add_counts(Broken())
    flush()
    assert MetricSum.objects.get().numbers == [1]


def test_a_sum_with_the_buckets_or_labels_of_another_version_is_left_out(api: APIClient) -> None:
    MetricSum.objects.create(name=RAN.name, labels=["q", "k"], numbers=[1, 2])
    MetricSum.objects.create(name=MOVED.name, labels=["k", "cancel"], numbers=[1])
    MetricSum.objects.create(name=SUBMITTED.name, labels=["alone"], numbers=[1])
    shown = samples(api)
    assert "tasks_run_seconds_count" not in {name for name, _ in shown}
    assert not [labels for _, labels in shown if "alone" in labels]
    assert {value for (name, _), value in shown.items() if name == "tasks_moved_total"} == {0}


def test_gauges_show_queues_workers_services_and_database(api: APIClient) -> None:
    make_task("PENDING", queue="slow")
    make_task("PENDING", queue="slow", scheduled_at=timezone.now() + dt.timedelta(hours=1))
    make_task("FAILED")
    make_worker("w")
    make_worker("gone", silent_for=60)
    Queue.objects.create(name="slow", paused=True)
    Breaker.objects.create(name="llm", failures=1)
    shown = samples(api)
    assert shown["tasks_waiting", ("slow",)] == 2
    assert shown["tasks_due", ("slow",)] == shown["tasks_scheduled", ("slow",)] == 1
    assert shown["tasks_queue_workers", ("slow",)] == 1
    assert shown["tasks_oldest_due_age_seconds", ("slow",)] >= 0
    assert shown["tasks_queue_paused", ("slow",)] == 1
    assert shown["tasks_lane", ("dlq",)] == 1
    assert shown["tasks_stored", ("FAILED",)] == 1
    assert (shown["tasks_workers", ("alive",)], shown["tasks_workers", ("dead",)]) == (1, 1)
    assert {labels for name, labels in shown if name == "tasks_worker_slots"} == {("w",)}
    assert shown["tasks_worker_buffered", ("w",)] == shown["tasks_worker_claims_total", ("w",)] == 0
    assert shown["tasks_circuit_state", ("llm", "closed")] == 1
    assert shown["tasks_circuit_state", ("llm", "open")] == 0
    assert shown["tasks_table_dead_rows", ("tasks_task",)] >= 0
    assert shown["tasks_database_bytes", ()] > 1_000_000
    assert shown["tasks_oldest_transaction_seconds", ()] >= 0
    assert sum(value for (name, _), value in shown.items() if name == "tasks_database_connections")


def test_a_worker_counts_only_for_the_queues_that_it_takes(api: APIClient) -> None:
    make_worker("of all")
    Worker.objects.filter(pk=make_worker("of one")).update(queues=["llm"])
    Worker.objects.filter(pk=make_worker("leaving")).update(state=WorkerState.DRAINING)
    shown = samples(api)
    assert shown["tasks_queue_workers", ("llm",)] == 2
    assert shown["tasks_queue_workers", ("default",)] == 1


def test_queues_beyond_those_that_are_shown_are_summed_up(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.metrics.gauges._MOST_QUEUES", 1)
    for queue, count in (("big", 3), ("small", 2), ("least", 1), ("default", 1)):
        for _ in range(count):
            make_task("PENDING", queue=queue)
    shown = samples(api)
    waiting = {labels[0]: n for (name, labels), n in shown.items() if name == "tasks_waiting" and n}
    assert waiting == {"big": 3, "default": 1, OTHER: 3}
    assert shown["tasks_oldest_due_age_seconds", (OTHER,)] >= 0


@pytest.mark.django_db(transaction=True)
def test_the_session_that_holds_the_oldest_snapshot_is_named(api: APIClient) -> None:
    other = psycopg.connect(database_url(), application_name="long report")
    other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    other.execute("SELECT count(*) FROM tasks_task")
    for _ in range(3):
        Queue.objects.create(name=str(uuid.uuid4()))
    holder = ("tasks_oldest_xmin_transactions", ("client backend", "long report"))
    assert samples(api)[holder] >= 3
    other.close()


@pytest.mark.django_db(transaction=True)
def test_a_scrape_does_not_wait_for_long_counts_of_a_big_table(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(count_cache, "SMALL", -1)
    make_task("PENDING")
    waiting = ("tasks_waiting", ("default",))
    # There is none yet: without it, this scrape would end the alerts of queues.
    assert samples(api)[waiting] == 1
    with CaptureQueriesContext(connection) as queries:
        assert samples(api)[waiting] == 1
    statements = [query["sql"] for query in queries.captured_queries]
    # Without a bound; of the tasks that run there are no more than slots.
    reads = [sql for sql in statements if 'FROM "tasks_task"' in sql]
    assert not [sql for sql in reads if "LIMIT" not in sql and "'PROCESSING'" not in sql]
    old = timezone.now() - dt.timedelta(seconds=count_cache.LONGEST_UNWAITED_SECONDS + 1)
    CachedCount.objects.update(counted_at=old)
    assert samples(api)[waiting] == 1
    CachedCount.objects.update(counted_at=old, seconds=2 * count_cache.SHORT_SECONDS)
    with closing(connection.copy()) as other, other.cursor() as cursor:
        # As while another process counts: it is the only one.
        cursor.execute("SELECT pg_advisory_lock(%s, hashtext('queues'))", [count_cache.LOCK])
        assert waiting not in samples(api)
    wait_until(lambda: samples(api).get(waiting), what="counted again")


def test_moves_are_counted_by_queue_and_an_end_by_one_of_them_as_an_end() -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        cancelled = make_task("PENDING", queue="slow")
        lifecycle.cancel(cancelled)
        lifecycle.retry(make_task("FAILED"))
        lifecycle.delete(make_task("COMPLETED"))
        dead = make_worker("dead", silent_for=60)
        make_task("PROCESSING", worker_id=dead)
        make_task("PROCESSING", worker_id=dead, losses=9)
        make_worker("dead and idle", silent_for=60)
        lifecycle.rescue()
        lifecycle.rescue()
    script = "test.script"
    assert counts.take() == {
        ("tasks_moved", ("slow", script, "cancel")): [1],
        ("tasks_ended", ("slow", script, "CANCELLED")): [1],
        ("tasks_moved", ("default", script, "retry")): [1],
        ("tasks_moved", ("default", script, "delete")): [1],
        ("tasks_moved", ("default", script, "rescue")): [2],
        ("tasks_ended", ("default", script, "FAILED")): [1],
        ("tasks_leases_lost", ()): [2],
    }


def test_a_submit_and_a_request_are_counted(api: APIClient) -> None:
    api.post("/api/v1/tasks/", {"kind": "test.script"}, format="json")
    api.get("/nothing/at/all")
    routes = {labels for name, labels in counts.take() if name == "tasks_http_request_seconds"}
    assert ("POST", "api/v1/tasks/", "202") in routes
    assert (OTHER, OTHER, "404") in routes


def test_openmetrics_is_served_on_request(api: APIClient) -> None:
    counts.add(ATTEMPTS, "q", "k", "failed")
    flush()
    accept = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*"
    answer = api.get(PATH, headers={"Accept": accept})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    names = {
        family.name
        for family in openmetrics.text_string_to_metric_families(answer.content.decode())
    }
    assert {"tasks_attempts", "tasks_run_seconds", "tasks_waiting"} <= names
    for accept in ("text/plain", "*/*", "text/plain;version=0.0.4"):
        assert api.get(PATH, headers={"Accept": accept})["Content-Type"].startswith("text/plain")


def test_a_parameter_is_refused(api: APIClient) -> None:
    assert api.get(f"{PATH}?name=tasks_waiting").status_code == 400


@pytest.mark.usefixtures("closed")
def test_only_the_token_or_who_sees_all_tasks_may_scrape(
    api: APIClient,
    api_for: Callable[[User], APIClient],
    user: User,
    viewer: User,
    settings: Any,
) -> None:
    def status(header: str) -> int:
        return api.get(PATH, headers={"Authorization": header}).status_code

    assert api.get(PATH).status_code == 401
    assert status("Bearer ") == 401
    settings.METRICS_TOKEN = "s3cret"
    assert (status("Bearer s3cret"), status("bearer s3cret")) == (200, 200)
    assert [status(f"Bearer {wrong}") for wrong in ("s3cre", "s3crets", "S3CRET")] == [401] * 3
    # It is for this route alone.
    headers = {"Authorization": "Bearer s3cret"}
    assert api.get("/api/v1/tasks/", headers=headers).status_code == 401
    assert api_for(viewer).get(PATH).status_code == 200
    assert api_for(user).get(PATH).status_code == 403


@pytest.mark.usefixtures("closed")
def test_a_scraper_with_a_token_may_name_any_host(api: APIClient, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["tasks.example.com"]
    settings.METRICS_TOKEN = "s3cret"
    settings.SECURE_SSL_REDIRECT = True
    headers = {"Host": "web:8000", "Authorization": "Bearer s3cret"}
    assert api.get(PATH, headers=headers).status_code == 200
    assert api.get(PATH, headers={**headers, "Authorization": "Bearer no"}).status_code == 401
    assert api.get(PATH, headers={"Host": "web:8000"}).status_code == 400


def test_names_of_callers_do_not_grow_without_bound() -> None:
    assert queue_and_kind("default", "test.script") == ("default", "test.script")
    assert queue_and_kind("default", "no.such") == ("default", OTHER)
    names = (f"queue-{number}" for number in range(2 * _MOST_QUEUES))
    labels = {queue_and_kind(name, "test.script")[0] for name in names}
    assert len(labels) <= _MOST_QUEUES + 1
    assert OTHER in labels
    assert queue_and_kind("default", "no.such") == ("default", OTHER)


@pytest.mark.django_db(transaction=True)
def test_counts_of_workers_agree_with_the_tasks(worker: Any) -> None:
    command = worker(processes=2)
    for _ in range(20):
        tasks.submit("test.script", {"do": "return"})
        tasks.submit("test.script", {"do": "raise once"})
        tasks.submit("test.script", {"do": "fatal"})
    tasks.submit("test.isolated_talk")
    tasks.submit("test.submits")
    wait_until(lambda: command.must_run() and is_idle(), what="all ended")
    command.end()
    numbers = {
        (row.name, *row.labels): row.numbers
        for row in MetricSum.objects.exclude(name__contains="http")
    }
    script = ("default", "test.script")
    assert numbers["tasks_attempts", *script, "completed"] == [41]
    assert numbers["tasks_attempts", *script, "failed"] == [40]
    assert numbers["tasks_started", *script] == [81]
    assert numbers["tasks_retried", *script] == [20]
    assert numbers["tasks_ended", *script, "COMPLETED"] == [41]
    assert numbers["tasks_ended", *script, "FAILED"] == [20]
    assert sum(numbers["tasks_wait_seconds", *script][:-1]) == 81
    assert sum(numbers["tasks_run_seconds", *script][:-1]) == 81
    # What a handler submits is counted in the worker; what this test submits, in this process.
    assert numbers["tasks_submitted", *script] == [1]
    assert sum(numbers["tasks_claim_seconds",][:-1]) > 0
