"""Health with real workers: missing ones, ones that lack a kind, and a database without writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from psycopg import sql
from rest_framework.test import APIClient

from tasks import lifecycle
from tasks.models import Status, Task, Worker
from tests.databases import open_session
from tests.waiting import wait_until
from tests.workers import WorkerCommand

pytestmark = pytest.mark.django_db(transaction=True)

StartWorker = Callable[..., WorkerCommand]


def finding(api: APIClient, check: str) -> tuple[int, str]:
    """Return the status of /health and that of one check."""
    response = api.get("/health")
    return response.status_code, response.json()["checks"][check]["status"]


def readiness(api: APIClient) -> int:
    return api.get("/health/ready").status_code


def test_health_reports_due_tasks_without_a_worker_and_recovers(
    api: APIClient, worker: StartWorker, settings: Any
) -> None:
    settings.HEALTH_TOLERANCE_SECONDS = 2.0
    first = worker()
    first.end()
    assert not Worker.objects.exists()
    lifecycle.submit("test.script", {})
    wait_until(lambda: finding(api, "queues") == (503, "failed"), what="reported")
    assert readiness(api) == 200
    worker()
    wait_until(lambda: Task.objects.get().status == Status.COMPLETED, what="completed")
    assert finding(api, "queues") == (200, "ok")


def test_health_reports_a_kind_that_no_worker_knows_and_recovers(
    api: APIClient, worker: StartWorker, settings: Any
) -> None:
    settings.HEALTH_TOLERANCE_SECONDS = 2.0
    worker(EXTRA_APPS="")
    lifecycle.submit("test.script", {})
    known = lifecycle.submit("compute", {"data": {"operation": "compute"}})
    wait_until(lambda: finding(api, "kinds") == (503, "failed"), what="reported")
    # The queue has a worker; on a busy machine its heartbeat may be late.
    wait_until(lambda: finding(api, "queues") == (503, "ok"), what="its queue is served")
    assert readiness(api) == 200
    wait_until(
        lambda: Task.objects.get(pk=known.pk).status == Status.COMPLETED, what="the known one"
    )
    worker()
    wait_until(lambda: finding(api, "kinds") == (200, "ok"), what="recovered")


@pytest.fixture
def read_only() -> Iterator[Callable[[bool], None]]:
    """Return a switch that lets new sessions of the test's database write, or not."""
    name = connection.settings_dict["NAME"]

    def switch(is_on: bool) -> None:
        value = sql.SQL("on" if is_on else "off")
        # Of another database: its own session may not be able to write.
        with open_session("postgres") as session:
            session.execute(
                sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(
                    sql.Identifier(name), value
                )
            )
        connection.close()

    yield switch
    switch(False)


def test_a_database_that_turns_read_only_makes_web_servers_unready_until_it_takes_writes(
    api: APIClient, worker: StartWorker, read_only: Callable[[bool], None]
) -> None:
    worker()
    assert (finding(api, "writes"), readiness(api)) == ((200, "ok"), 200)
    read_only(True)
    assert (finding(api, "writes"), readiness(api)) == ((503, "failed"), 503)
    assert api.get("/health").json()["database"] == "read-only"
    assert api.get("/health/ready").json()["database"] == "read-only"
    read_only(False)
    assert (finding(api, "writes"), readiness(api)) == ((200, "ok"), 200)
