"""One process of all checks, once an hour; its report is stored, shown and logged."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from rest_framework.test import APIClient

from tasks import invariants, lifecycle
from tasks.invariants import check
from tasks.models import CachedCount, Status
from tasks.worker import verifier
from tasks.worker.verifier import Verifier
from tests.api.test_metrics import samples
from tests.factories import make_task
from tests.queue_rows import execute
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

CONTENDERS = 8


def begin_at_once() -> int:
    """Let processes that all find a check due begin together; return how many may."""
    together = threading.Barrier(CONTENDERS)

    def begin(_: int) -> bool:
        try:
            connection.ensure_connection()
            together.wait()
            return invariants.begin_turn()
        finally:
            connection.close()

    with ThreadPoolExecutor(CONTENDERS) as pool:
        return sum(pool.map(begin, range(CONTENDERS)))


def move_turn(**by: float) -> None:
    CachedCount.objects.update(counted_at=F("counted_at") + dt.timedelta(**by))


def test_of_all_processes_one_begins_and_again_one_after_an_hour() -> None:
    assert begin_at_once() == 1
    assert begin_at_once() == 0
    move_turn(minutes=-59)
    assert begin_at_once() == 0
    move_turn(minutes=-1)
    assert begin_at_once() == 1


def test_a_clock_that_was_set_back_does_not_delay_the_next_check() -> None:
    assert invariants.begin_turn()
    move_turn(hours=5)
    assert invariants.begin_turn()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check at once, and look again at once."""
    monkeypatch.setattr(verifier, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(verifier, "PAUSE", 0.01)
    monkeypatch.setattr(check, "SETTLE_SECONDS", 0.0)


def run_verifier(until: Any) -> None:
    thread = Verifier()
    thread.start()
    try:
        wait_until(until)
    finally:
        thread.stop()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.usefixtures("fast")
def test_the_verifier_stores_its_report_and_logs_what_does_not_hold(
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = make_task(Status.COMPLETED, losses=1)
    with caplog.at_level(logging.ERROR, "tasks.worker.verifier"):
        run_verifier(invariants.last_report)
    report = invariants.last_report()
    assert report is not None
    (finding,) = report.findings
    assert (finding.invariant.name, finding.count) == ("history_differs", 1)
    assert finding.examples == [str(task.id)]
    assert report.next_after == invariants.FIRST
    (record,) = caplog.records
    assert record.message == "an invariant does not hold"
    facts = vars(record)
    assert (facts["invariant"], facts["violations"]) == ("history_differs", 1)
    assert facts["detail"] == finding.sentence


@pytest.mark.usefixtures("fast")
def test_a_check_that_cannot_be_made_is_logged_and_ends_only_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks', '9999_newer', now())"
    )
    try:
        run_verifier(lambda: caplog.records)
    finally:
        execute("DELETE FROM django_migrations WHERE name = '9999_newer'")
    assert caplog.records[0].message.startswith("could not check the invariants")
    assert invariants.last_report() is None
    move_turn(hours=-1)
    run_verifier(invariants.last_report)


def test_the_metrics_show_the_last_check(api: APIClient) -> None:
    assert not [name for name, _ in samples(api) if name.startswith("tasks_invariant")]
    task = make_task(Status.COMPLETED, losses=1)
    execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'task:x')")
    execute('UPDATE procrastinate_jobs SET args = \'{"task_id": "no id"}\'')
    report = invariants.verify(wait=lambda seconds: False)
    assert report is not None
    invariants.store_report(report)
    shown = samples(api)
    violations = {labels[0]: n for (name, labels), n in shown.items() if "violations" in name}
    names = {invariant.name for invariant in invariants.INVARIANTS}
    assert violations == {
        **dict.fromkeys(names - {"job_without_task"}, 0), "history_differs": 1,
    }  # fmt: skip
    assert shown["tasks_invariants_unchecked", ()] == 1
    assert 0 <= shown["tasks_invariants_age_seconds", ()] < 60
    assert shown["tasks_invariants_check_seconds", ()] > 0
    assert str(task.id) not in str(shown)


def test_a_reset_forgets_the_report() -> None:
    report = invariants.verify(wait=lambda seconds: False)
    assert report is not None
    invariants.store_report(report)
    lifecycle.reset()
    assert invariants.last_report() is None
    assert invariants.begin_turn()
