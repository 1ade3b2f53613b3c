"""Running tasks: cancellation, progress, limits and replacement, on a real worker."""

from __future__ import annotations

import pytest
from django.db import connection

from tasks import lifecycle
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


# A renewal of the lease would show the cancel too, but hours later.
WITHOUT_POLLING = {"DJANGO_SETTINGS_MODULE": "tests.settings_without_polling"}


def _running() -> list[Task]:
    return list(Task.objects.filter(status=Status.PROCESSING))


def _ended() -> Task:
    wait_until(lambda: Task.objects.get().is_terminal, what="ended")
    return Task.objects.get()


def test_a_running_task_that_heeds_its_cancellation_ends_soon(worker, tmp_path):
    lifecycle.submit("test.script", {"do": "wait for file", "file": str(tmp_path / "never")})
    worker(**WITHOUT_POLLING)
    (task,) = wait_until(_running, what="running")
    assert lifecycle.cancel(task).status == Status.PROCESSING
    assert _ended().status == Status.CANCELLED


def test_a_task_that_is_retried_right_after_its_cancel_runs_to_its_end(worker, tmp_path):
    file = tmp_path / "go on"
    lifecycle.submit("test.script", {"do": "wait for file", "file": str(file)})
    worker()
    for _ in range(3):
        (task,) = wait_until(_running, what="running")
        lifecycle.cancel(task)
        lifecycle.retry(_ended())
    wait_until(_running, what="running again")
    file.touch()
    task = _ended()
    assert (task.status, task.attempt, task.claim_number) == (Status.COMPLETED, 4, 4)


def test_a_notification_that_names_no_task_is_ignored(worker):
    command = worker()
    pids = command.pids()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('tasks_cancel', 'no task')")
    lifecycle.submit("test.script")
    assert _ended().status == Status.COMPLETED
    assert command.pids() == pids


def test_a_running_task_that_ignores_its_cancellation_completes(worker, tmp_path):
    file = tmp_path / "go on"
    task_input = {"do": "wait for file", "file": str(file), "heed": False}
    lifecycle.submit("test.script", task_input)
    worker()
    (task,) = wait_until(_running, what="running")
    lifecycle.cancel(task)
    file.touch()
    task = _ended()
    assert (task.status, task.cancel_requested) == (Status.COMPLETED, True)


def test_progress_is_seen_while_the_task_runs(worker, tmp_path):
    file = tmp_path / "go on"
    lifecycle.submit("test.script", {"do": "progress", "file": str(file)})
    worker()
    wait_until(
        lambda: Task.objects.filter(progress=40, progress_message="almost done").exists(),
        what="progress",
    )
    file.touch()
    assert _ended().progress == 100


def test_an_attempt_past_its_hard_limit_ends_and_its_process_is_replaced(worker, tmp_path):
    lifecycle.submit("test.overdue", {"file": str(tmp_path / "never"), "heed": False})
    command = worker(WORKER_STOP_GRACE_PERIOD="5s")
    (pid,) = command.pids()
    task = _ended()
    assert (task.status, task.error["type"]) == (Status.FAILED, "TimeoutError")
    assert [attempt.outcome for attempt in history_of(task)] == [Outcome.TIMED_OUT]
    wait_until(lambda: command.pids() and command.pids() != [pid], what="replaced")
    next_task = lifecycle.submit("test.script")
    wait_until(lambda: Task.objects.get(pk=next_task.pk).is_terminal, what="works again")


def test_a_worker_takes_only_from_its_queues(worker):
    other = lifecycle.submit("test.script", queue="other")
    mine = lifecycle.submit("test.script", queue="mine")
    worker(queues=["mine"])
    wait_until(lambda: Task.objects.get(pk=mine.pk).is_terminal, what="mine")
    assert Task.objects.get(pk=other.pk).status == Status.PENDING


def test_tasks_waiting_behind_a_slow_one_are_taken_by_other_workers(worker, tmp_path):
    file = tmp_path / "go on"
    blocking = {"do": "wait for file", "file": str(file)}
    for _ in range(3):
        lifecycle.submit("test.script", blocking)
    slow = worker(concurrency=1, WORKER_PREFETCH_MULTIPLIER="3")
    wait_until(_running, what="running")
    worker(concurrency=2)
    names = wait_until(_three_in_two_processes, what="shared")
    assert slow.workers()[0].pk in names
    file.touch()


def _three_in_two_processes() -> set[int]:
    running = Task.objects.filter(status=Status.PROCESSING).exclude(progress=1)
    workers = [worker for worker in running.values_list("worker_id", flat=True) if worker]
    return set(workers) if len(workers) == 3 and len(set(workers)) == 2 else set()


def test_a_process_that_has_run_enough_is_replaced_without_losing_a_task(worker):
    for _ in range(100):
        lifecycle.submit("test.script")
    command = worker(concurrency=2, WORKER_MAX_TASKS_PER_CHILD="20")
    first = command.pids()
    wait_until(lambda: not Task.objects.exclude(status=Status.COMPLETED).exists(), what="done")
    assert not Task.objects.exclude(attempt=1).exists()
    wait_until(lambda: command.pids() and command.pids() != first, what="replaced")
