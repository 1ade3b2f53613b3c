from __future__ import annotations

import datetime as dt
import time
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from tasks import lifecycle
from tasks.models import Outcome, Status, Task, Worker
from tasks.worker.rescuer import HeartbeatObserver, Rescuer
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import heartbeat
from tests.queue_rows import execute, job_of, jobs
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


def test_the_tasks_of_a_dead_worker_wait_again():
    task = make_task(Status.PROCESSING, worker_id=make_worker("dead:1", silent_for=16))
    job = task.job_id
    assert lifecycle.rescue() == 1
    task.refresh_from_db()
    assert (task.status, task.attempt, task.worker_id) == (Status.PENDING, 0, None)
    assert (task.losses, task.claim_number) == (1, 1)
    # The same job again: the task keeps its place in the queue.
    assert [(row.id, row.status) for row in jobs()] == [(job, "todo")]
    assert task.job_id == job
    (attempt,) = task.attempts.all()
    assert (attempt.outcome, attempt.worker) == (Outcome.LOST, "dead:1")


def test_the_command_prints_how_many_tasks_it_rescued():
    dead = make_worker("dead:1", silent_for=16)
    lost = {make_task(Status.PROCESSING, worker_id=dead).pk for _ in range(2)}
    running = make_task(Status.PROCESSING)
    output = StringIO()
    call_command("rescue", stdout=output)
    assert output.getvalue() == "2 tasks rescued\n"
    assert set(Task.objects.filter(status=Status.PENDING).values_list("pk", flat=True)) == lost
    assert Task.objects.get(status=Status.PROCESSING) == running


def test_a_rescue_goes_on_until_no_orphan_is_left(monkeypatch):
    monkeypatch.setattr("tasks.lifecycle.verbs.RESCUE_LIMIT", 2)
    dead = make_worker("dead:1", silent_for=16)
    for _ in range(5):
        make_task(Status.PROCESSING, worker_id=dead)
    assert lifecycle.rescue() == 5
    assert set(Task.objects.values_list("status", flat=True)) == {Status.PENDING}


def test_a_rescued_task_without_its_job_gets_a_new_one():
    task = make_task(Status.PROCESSING, worker_id=make_worker(silent_for=16))
    execute("DELETE FROM procrastinate_jobs")
    assert lifecycle.rescue() == 1
    assert job_of(task).status == "todo"


def test_a_living_worker_keeps_its_tasks_however_long_they_take():
    long_ago = timezone.now() - dt.timedelta(hours=5)
    make_task(Status.PROCESSING, worker_id=make_worker(silent_for=10), started_at=long_ago)
    assert lifecycle.rescue() == 0


def test_a_clock_set_forward_rescues_no_tasks_of_a_worker_that_renews_its_lease():
    worker = make_worker(silent_for=600)
    make_task(Status.PROCESSING, worker_id=worker)
    assert lifecycle.rescue(clock_is_steady=False) == 0
    assert lifecycle.rescue([worker], clock_is_steady=False) == 1


def test_a_clock_set_back_does_not_prevent_a_rescue_after_a_missed_renewal():
    worker = make_worker(silent_for=-600)
    make_task(Status.PROCESSING, worker_id=worker)
    assert lifecycle.rescue() == 0
    assert lifecycle.rescue([worker]) == 1


def test_a_watch_returns_the_workers_that_missed_a_renewal(settings):
    settings.HEARTBEAT_SECONDS = 0.2
    silent, alive = make_worker("silent:1"), make_worker("alive:1")
    observer = HeartbeatObserver()
    assert observer.missed_renewal() == []

    def seen() -> bool:
        heartbeat(alive)
        return observer.missed_renewal() == [silent]

    wait_until(seen, what="the silent worker to be noticed")


def test_a_watch_reports_a_clock_that_was_set(monkeypatch):
    observer = HeartbeatObserver()
    assert observer.is_steady()
    assert observer.is_steady()
    monotonic = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 600)
    assert not observer.is_steady()


def test_the_tasks_of_a_worker_without_a_row_are_rescued():
    make_task(Status.PROCESSING, worker_id=make_worker())
    Worker.objects.all().delete()
    assert lifecycle.rescue() == 1


def test_a_task_fails_when_it_has_lost_its_worker_ten_times():
    make_task(Status.PROCESSING, worker_id=make_worker(silent_for=60), losses=9)
    lifecycle.rescue()
    task = Task.objects.get()
    assert (task.status, task.error["type"], jobs()) == (Status.FAILED, "WorkerLost", [])


def test_a_lost_task_with_a_cancel_request_is_cancelled():
    make_task(Status.PROCESSING, worker_id=make_worker(silent_for=60), cancel_requested=True)
    lifecycle.rescue()
    assert Task.objects.get().status == Status.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_one_rescuer_works_at_a_time():
    make_task(Status.PROCESSING, worker_id=make_worker(silent_for=60))
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lifecycle.RESCUE_LOCK])
        assert lifecycle.rescue() == 0
        cursor.execute("ROLLBACK")
    other.close()
    assert lifecycle.rescue() == 1


def test_a_waiting_task_without_its_job_gets_a_new_one():
    task = make_task(scheduled_at=timezone.now() + dt.timedelta(hours=1))
    execute("DELETE FROM procrastinate_jobs")
    assert lifecycle.reconcile() == (1, 0)
    assert job_of(task).scheduled_at == task.scheduled_at
    assert lifecycle.reconcile() == (0, 0)


def test_a_job_that_no_task_names_is_deleted():
    task = make_task()
    execute("UPDATE tasks_task SET job_id = nextval('procrastinate_jobs_id_seq')")
    assert lifecycle.reconcile() == (1, 1)
    assert job_of(task).status == "todo"
    assert len(jobs()) == 1


def test_the_rescuer_reconciles_in_each_round_while_there_may_be_more(monkeypatch):
    for module in (lifecycle, lifecycle.verbs):
        monkeypatch.setattr(module, "RECONCILE_LIMIT", 2)
    for _ in range(5):
        make_task()
    execute("DELETE FROM procrastinate_jobs")
    rescuer = Rescuer()
    # The limits of kinds would start a thread that outlives this test.
    rescuer._has_declared = True
    rescuer._reconcile_at = 0.0
    stored = []
    for _ in range(3):
        rescuer._round()
        stored.append(len(jobs()))
    assert stored == [2, 4, 5]
    execute("DELETE FROM procrastinate_jobs")
    rescuer._round()
    assert jobs() == []


def test_reconciling_leaves_the_jobs_of_other_applications():
    execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'theirs')")
    assert lifecycle.reconcile() == (0, 0)


def test_rows_of_long_dead_workers_are_deleted_unless_they_hold_a_task():
    make_worker(silent_for=3600)
    holding = make_worker(silent_for=3600)
    alive = make_worker()
    make_task(Status.PROCESSING, worker_id=holding)
    lifecycle.forget_workers()
    assert set(Worker.objects.values_list("pk", flat=True)) == {holding, alive}


def test_a_process_whose_clock_is_ahead_deletes_no_row_of_a_living_worker(monkeypatch):
    alive = make_worker(silent_for=10)
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + dt.timedelta(hours=1))
    lifecycle.forget_workers()
    assert Worker.objects.filter(pk=alive).exists()
