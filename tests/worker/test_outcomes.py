"""Outcomes: how a task ends, by what its handler does, on a real worker."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import connection

import tasks
from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Outcome, Status, Task, Worker
from tasks.models.attempt import history_of
from tests.queue_rows import jobs
from tests.script.models import Effect
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


ENDS = {
    "return": (Status.COMPLETED, [Outcome.COMPLETED]),
    "raise": (Status.FAILED, [Outcome.FAILED] * 3),
    "raise once": (Status.COMPLETED, [Outcome.FAILED, Outcome.COMPLETED]),
    "retry once": (Status.COMPLETED, [Outcome.FAILED, Outcome.COMPLETED]),
    "fatal": (Status.FAILED, [Outcome.FAILED]),
    "cancel": (Status.CANCELLED, [Outcome.CANCELLED]),
    "return invalid JSON": (Status.FAILED, [Outcome.FAILED]),
    "return a NUL": (Status.FAILED, [Outcome.FAILED]),
}


def test_a_handler_decides_how_its_task_ends(run_tasks):
    for do in ENDS:
        tasks.submit("test.script", {"do": do})
    run_tasks()
    ended = {task.input["do"]: task for task in Task.objects.all()}
    outcomes = {
        do: (task.status, [attempt.outcome for attempt in history_of(task)])
        for do, task in ended.items()
    }
    assert outcomes == ENDS
    for task in ended.values():
        numbers = [attempt.number for attempt in history_of(task)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert jobs() == []


def test_a_snooze_spends_no_attempt(run_tasks, tmp_path):
    file = tmp_path / "there"
    tasks.submit("test.script", {"do": "snooze until", "file": str(file)}, max_attempts=1)
    snoozed = threading.Thread(target=lambda: wait_until(_snoozed_thrice) and file.touch())
    snoozed.start()
    run_tasks()
    snoozed.join()
    task = Task.objects.get()
    assert (task.status, task.attempt) == (Status.COMPLETED, 1)
    assert task.claim_number >= 4


def _snoozed_thrice() -> bool:
    try:
        return Task.objects.get().attempts.filter(outcome=Outcome.SNOOZED).count() >= 3
    finally:
        connection.close()


def test_a_follow_up_is_submitted_with_the_finish(run_tasks):
    tasks.submit("test.script", {"do": "follow up", "value": 7})
    run_tasks()
    assert [task.result for task in Task.objects.order_by("id")] == [{"done": True}, {"echo": 7}]


def test_the_worker_logs_each_follow_up_as_submitted(worker):
    command = worker(LOG_JSON="true", LOG_LEVEL="INFO")
    first = tasks.submit("test.script", {"do": "follow up", "value": 7})
    wait_until(lambda: Task.objects.filter(status=Status.COMPLETED).count() == 2, what="two ends")
    follow_up = Task.objects.exclude(pk=first.id).get()
    lines = [json.loads(line) for line in command.output().splitlines() if "submitted" in line]
    assert [(line["task_id"], line["kind"], line["status"]) for line in lines] == [
        (str(follow_up.id), "test.script", "PENDING")
    ]


def test_a_failed_attempt_submits_no_follow_up(run_tasks):
    tasks.submit("test.script", {"do": "follow up", "value": 7, "then": "raise"})
    run_tasks()
    assert Task.objects.get().status == Status.FAILED


def test_a_submit_that_rolls_back_inside_a_handler_leaves_nothing(run_tasks):
    tasks.submit("test.script", {"do": "submit and roll back", "value": 7})
    run_tasks()
    assert Task.objects.get().status == Status.COMPLETED
    assert jobs() == []


def test_a_transactional_handlers_writes_commit_with_the_finish(run_tasks):
    task = tasks.submit("test.effect")
    run_tasks()
    assert Task.objects.get().status == Status.COMPLETED
    assert list(Effect.objects.values_list("task_id", flat=True)) == [task.id]


def test_a_transactional_handlers_writes_roll_back_when_it_fails(run_tasks):
    tasks.submit("test.effect", {"do": "raise"})
    run_tasks()
    assert Task.objects.get().status == Status.FAILED
    assert not Effect.objects.exists()


def test_many_small_tasks_all_end_and_share_hand_overs(run_tasks):
    lifecycle.submit_many([prepare("test.sum", {"numbers": [n, 1]}) for n in range(2000)])
    run_tasks()
    results = [task.result["sum"] for task in Task.objects.order_by("id")]
    assert results == [n + 1 for n in range(2000)]
    assert jobs() == []


def test_a_failed_task_of_a_mini_batch_costs_the_others_nothing(run_tasks):
    def numbers(n: int) -> list[object]:
        return ["not a number"] if n % 10 == 3 else [n]

    lifecycle.submit_many(
        [prepare("test.sum", {"numbers": numbers(n)}, max_attempts=1) for n in range(300)]
    )
    run_tasks()
    assert Task.objects.filter(status=Status.FAILED).count() == 30
    assert Task.objects.filter(status=Status.COMPLETED).count() == 270


def test_a_handler_that_heeds_its_soft_limit_fails(run_tasks, tmp_path):
    tasks.submit("test.overdue", {"file": str(tmp_path / "never"), "heed": True})
    run_tasks()
    assert Task.objects.get().error["type"] == "SoftTimeLimitExceeded"


def test_a_stopped_worker_leaves_no_row(run_tasks):
    tasks.submit("test.script")
    run_tasks()
    assert not Worker.objects.exists()


WITHOUT_POLLING = {"DJANGO_SETTINGS_MODULE": "tests.settings_without_polling"}


def test_a_worker_wakes_when_the_next_task_is_due_and_not_by_its_poll(run_tasks):
    tasks.submit("test.script", {"do": "raise once"}, delay=0.1)
    run_tasks(**WITHOUT_POLLING)
    assert Task.objects.get().status == Status.COMPLETED


def test_an_idle_worker_wakes_for_a_task_that_is_due_soon(run_tasks, tmp_path):
    file = tmp_path / "there"
    tasks.submit("test.script", {"do": "wait for file", "file": str(file)})

    def submit_another() -> None:
        wait_until(_runs)
        tasks.submit("test.script", {}, delay=0.5)
        file.touch()
        connection.close()

    submitting = threading.Thread(target=submit_another)
    submitting.start()
    run_tasks(**WITHOUT_POLLING)
    submitting.join()
    assert set(Task.objects.values_list("status", flat=True)) == {Status.COMPLETED}


def _runs() -> bool:
    try:
        return Task.objects.filter(status=Status.PROCESSING).exists()
    finally:
        connection.close()
