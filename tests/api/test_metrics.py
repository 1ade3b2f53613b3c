"""`GET /metrics`: what Prometheus reads, and who may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

import tasks
from tasks.counts import ATTEMPTS, OTHER, RAN, counts
from tasks.lifecycle.labels import _MOST_QUEUES, kind_label, queue_label
from tasks.metrics.store import add_counts
from tasks.models import Breaker, MetricSum, Queue
from tests.factories import make_task, make_worker
from tests.waiting import wait_until
from tests.workers import is_idle

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


def test_a_sum_with_the_buckets_of_another_version_is_left_out(api: APIClient) -> None:
    MetricSum.objects.create(name=RAN.name, labels=["q", "k"], numbers=[1, 2])
    assert not [name for name, _ in samples(api) if name == "tasks_run_seconds_count"]


def test_gauges_show_queues_workers_services_and_database(api: APIClient) -> None:
    make_task("PENDING", queue="slow")
    make_task("FAILED")
    make_worker("w")
    Queue.objects.create(name="slow", paused=True)
    Breaker.objects.create(name="llm", failures=1)
    shown = samples(api)
    assert shown["tasks_waiting", ("slow",)] == 1
    assert shown["tasks_oldest_due_age_seconds", ("slow",)] >= 0
    assert shown["tasks_queue_paused", ("slow",)] == 1
    assert shown["tasks_lane", ("dlq",)] == 1
    assert shown["tasks_stored", ("FAILED",)] == 1
    assert shown["tasks_workers", ("alive",)] == 1
    assert shown["tasks_circuit_open", ("llm",)] == 0
    assert shown["tasks_table_dead_rows", ("tasks_task",)] >= 0
    assert shown["tasks_database_bytes", ()] > 1_000_000
    assert shown["tasks_oldest_transaction_seconds", ()] >= 0
    assert sum(value for (name, _), value in shown.items() if name == "tasks_database_connections")


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


def test_names_of_callers_do_not_grow_without_bound() -> None:
    assert kind_label("test.script") == "test.script"
    assert kind_label("no.such") == OTHER
    labels = {queue_label(f"queue-{number}") for number in range(2 * _MOST_QUEUES)}
    assert len(labels) <= _MOST_QUEUES + 1
    assert OTHER in labels
    assert queue_label("default") == "default"


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
    assert numbers["tasks_ended", *script, "COMPLETED"] == [41]
    assert numbers["tasks_ended", *script, "FAILED"] == [20]
    assert sum(numbers["tasks_wait_seconds", *script][:-1]) == 81
    assert sum(numbers["tasks_run_seconds", *script][:-1]) == 81
    # What a handler submits is counted in the worker; what this test submits, in this process.
    assert numbers["tasks_submitted", *script] == [1]
    assert sum(numbers["tasks_claim_seconds",][:-1]) > 0
