"""Each check of `/health`: what it reports, with which status, and whether the process is ready."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from tasks import lifecycle, sql
from tasks.invariants import FIRST, INVARIANTS, Finding, Report, store_report
from tasks.models import EndedWorker, Status, Task, Worker
from tasks.postgres import time_limit
from tasks.stats import health_checks
from tests.api.described import described
from tests.databases import open_session
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db


def due(*, since: float = 120.0, **fields: Any) -> Task:
    """Make a task that has been due for so many seconds."""
    return make_task(created_at=timezone.now() - dt.timedelta(seconds=since), **fields)


def finding(api: APIClient, name: str) -> tuple[int, str, str]:
    """Return the status of /health, and what one check has found."""
    response = api.get("/health")
    check = described(response)["checks"][name]
    return response.status_code, check["status"], check["message"]


def names(api: APIClient, check: str) -> list[str]:
    """Return what only operators read of a finding."""
    found: list[str] = described(api.get("/health/workers/diagnostics"))["checks"][check]["names"]
    return found


def is_ready(api: APIClient) -> bool:
    response = api.get("/health/ready")
    assert (described(response)["status"] == "ready") is (response.status_code == 200)
    return response.status_code == 200


def test_due_tasks_without_a_worker_make_the_system_unhealthy_and_no_process_unready(
    api: APIClient,
) -> None:
    make_worker(queues=["other"])
    due(queue="reports")
    due(queue="reports", attempt=1)
    due(queue="mail")
    message = "3 tasks are due; 2 queues have had no worker for 60 s."
    assert finding(api, "queues") == (503, "failed", message)
    assert names(api, "queues") == ["mail", "reports"]
    assert finding(api, "kinds")[1] == "ok"
    assert is_ready(api)


def test_one_queue_is_one_queue(api: APIClient) -> None:
    due()
    assert finding(api, "queues")[2] == "1 task is due; 1 queue has had no worker for 60 s."


def test_scheduled_tasks_count_from_their_time(api: APIClient) -> None:
    now = timezone.now()
    due(scheduled_at=now + dt.timedelta(minutes=1), queue="later")
    due(scheduled_at=now - dt.timedelta(seconds=30), queue="just now")
    assert finding(api, "queues")[1] == "ok"
    due(scheduled_at=now - dt.timedelta(seconds=90), queue="long ago")
    assert finding(api, "queues")[0] == 503
    assert names(api, "queues") == ["long ago"]


def test_tasks_that_have_just_been_submitted_are_tolerated(api: APIClient) -> None:
    due(since=30)
    assert finding(api, "queues")[:2] == (200, "ok")


@pytest.mark.parametrize("silent_for", [0, 30])
def test_a_worker_that_was_killed_a_moment_ago_is_tolerated(
    api: APIClient, silent_for: float
) -> None:
    due()
    make_worker(silent_for=silent_for)
    assert finding(api, "queues")[:2] == (200, "ok")


def test_a_restart_in_front_of_old_tasks_is_tolerated(api: APIClient) -> None:
    due()
    for queues in (["default"], ["other"]):
        stop(make_worker(queues=queues, kinds=["test.script"]))
    assert not Worker.objects.exists()
    assert finding(api, "queues")[:2] == (200, "ok")
    assert finding(api, "kinds")[:2] == (200, "ok")
    EndedWorker.objects.filter(queues=["default"]).update(
        heartbeat_at=timezone.now() - dt.timedelta(seconds=61)
    )
    assert finding(api, "queues")[:2] == (503, "failed")


def test_what_ended_workers_served_is_forgotten_after_some_minutes() -> None:
    first, second = make_worker(), make_worker()
    stop(first)
    EndedWorker.objects.update(heartbeat_at=timezone.now() - dt.timedelta(minutes=11))
    stop(second)
    assert [worker.id for worker in EndedWorker.objects.all()] == [second]


def stop(worker: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql.DEREGISTER, {"workers": [worker]})


def test_a_paused_queue_needs_no_worker(api: APIClient) -> None:
    due(queue="reports")
    lifecycle.pause_queue("reports")
    assert finding(api, "queues")[:2] == (200, "ok")


def test_a_kind_that_no_worker_of_its_queue_knows_makes_the_system_unhealthy(
    api: APIClient,
) -> None:
    make_worker(queues=["reports"], kinds=["compute"])
    make_worker(queues=["mail"], kinds=["compute", "test.script"])
    due(queue="reports")
    due(queue="reports", kind="compute")
    due(queue="mail")
    message = "Tasks of 1 kind are due that no worker of their queue has known for 60 s."
    assert finding(api, "kinds") == (503, "failed", message)
    assert names(api, "kinds") == ["test.script in reports"]
    assert finding(api, "queues")[1] == "ok"
    assert is_ready(api)


def test_a_worker_that_serves_every_queue_and_knows_the_kind_is_enough(api: APIClient) -> None:
    make_worker(kinds=["compute"])
    make_worker("test:2", kinds=["test.script"])
    due(queue="reports")
    assert finding(api, "kinds")[:2] == (200, "ok")


def test_a_worker_of_the_version_before_is_taken_to_know_every_kind(api: APIClient) -> None:
    make_worker(kinds=None)
    due()
    assert finding(api, "kinds")[:2] == (200, "ok")


def test_a_running_task_needs_no_other_worker(api: APIClient) -> None:
    make_task(Status.PROCESSING, queue="reports", worker_id=make_worker(queues=["other"]))
    assert finding(api, "queues")[:2] == (200, "ok")


def test_a_database_that_takes_no_writes_makes_the_process_unready(api: APIClient) -> None:
    make_worker()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")
    message = "The database takes no writes: default_transaction_read_only is on."
    assert finding(api, "writes") == (503, "failed", message)
    assert api.get("/health").json()["database"] == "read-only"
    assert not is_ready(api)


def test_a_disk_that_is_nearly_full_is_a_warning(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_worker()
    assert finding(api, "disk")[:2] == (200, "ok")
    monkeypatch.setattr(health_checks, "_FEW_BYTES", 2**80)
    monkeypatch.setattr(health_checks, "_SMALL_SHARE", 1.0)
    status, level, message = finding(api, "disk")
    assert (status, level) == (200, "warning")
    assert message.endswith("GiB left: it is nearly full.")
    assert api.get("/health").json()["status"] == "degraded"
    assert is_ready(api)


def test_the_disk_of_a_database_elsewhere_is_tried_but_its_size_is_not_known(
    api: APIClient, settings: Any
) -> None:
    settings.EMBEDDED = None
    assert finding(api, "disk") == (200, "ok", "The database could write to its disk.")


@pytest.mark.django_db(transaction=True)
def test_a_table_that_is_locked_delays_health_only_for_the_limit_and_readiness_not_at_all(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = time_limit._LIMIT.replace("2s", "50ms")
    monkeypatch.setattr(time_limit, "_LIMIT", limit)
    make_worker()
    name = connection.settings_dict["NAME"]
    with open_session(name) as session, session.transaction():
        session.execute("LOCK TABLE tasks_worker IN ACCESS EXCLUSIVE MODE")
        status, level, message = finding(api, "workers")
        assert (status, level) == (200, "unknown")
        assert message == ("The database did not answer this check within 2 s, or postponed it.")
        assert api.get("/health").json()["status"] == "degraded"
        assert is_ready(api)
    assert finding(api, "workers")[:2] == (200, "ok")


def test_an_invariant_that_does_not_hold_makes_the_system_unhealthy(api: APIClient) -> None:
    by_name = {invariant.name: invariant for invariant in INVARIANTS}
    broken = Finding(invariant=by_name["job_differs"], count=2, examples=["1", "2"])
    for findings in ([], [broken]):
        report = Report(at=timezone.now(), seconds=0.1, findings=findings, next_after=FIRST)
        store_report(report)
        if not findings:
            assert finding(api, "invariants")[1] == "ok"
    message = "1 invariant did not hold at the last check: run manage.py verify."
    assert finding(api, "invariants") == (503, "failed", message)
    assert names(api, "invariants") == ["job_differs"]
    assert is_ready(api)
