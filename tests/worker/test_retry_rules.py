"""Retry policies for exceptions: how often a task is tried, on a real worker."""

from __future__ import annotations

import pytest

import tasks
from tasks import kinds
from tasks.lifecycle.ending import Claim, timed_out
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of

pytestmark = pytest.mark.django_db(transaction=True)

# By the policy of the nearest base class, or `retry` for those that have none.
ATTEMPTS = {
    "ConnectionResetError": 2,
    "ConnectionError": 2,
    "OSError": 3,
    "KeyError": 10,
    "ValueError": 1,
}


def test_the_class_of_an_exception_decides_how_often_its_task_is_tried(run_tasks):
    for name in ATTEMPTS:
        tasks.submit("test.rules", {"raise": name})
    run_tasks()
    ended = {task.input["raise"]: task for task in Task.objects.all()}
    assert {name: task.attempt for name, task in ended.items()} == ATTEMPTS
    for name, task in ended.items():
        assert (task.status, task.error["type"]) == (Status.FAILED, name)
        assert {attempt.outcome for attempt in history_of(task)} == {Outcome.FAILED}


def test_no_policy_allows_more_attempts_than_the_task_has(run_tasks):
    task = tasks.submit("test.rules", {"raise": "OSError"}, max_attempts=2)
    run_tasks()
    task.refresh_from_db()
    assert (task.status, task.attempt) == (Status.FAILED, 2)


def test_a_function_decides_and_one_that_fails_costs_its_own_attempt(run_tasks):
    for name in ("KeyError", "OSError", "RuntimeError"):
        tasks.submit("test.rules_by_function", {"raise": name})
    run_tasks()
    ended = {task.input["raise"]: task for task in Task.objects.all()}
    # The task has the attempts of `retry`, which also holds when the function fails.
    assert {name: task.attempt for name, task in ended.items()} == {
        "KeyError": 2,
        "OSError": 1,
        "RuntimeError": 2,
    }
    assert ended["RuntimeError"].error == {
        "type": "TypeError",
        "title": "Type error",
        "detail": "retry_on must return a RetryPolicy or None, not str.",
    }


def test_the_hard_limit_is_a_timeout_for_the_rules_too(run_tasks):
    task = tasks.submit("test.rules_of_time")
    run_tasks()
    task.refresh_from_db()
    assert (task.status, task.attempt, task.error["type"]) == (Status.FAILED, 1, "TimeoutError")


def test_a_function_that_fails_for_the_workers_own_error_leaves_the_policy_of_the_kind(caplog):
    claim = Claim(
        id=tasks.submit("test.rules_by_function", {"raise": "KeyError"}).id,
        job_id=1, kind="test.rules_by_function", queue="default", owner_id=None, input={},
        attempt=1, max_attempts=2, claim_number=1,
    )  # fmt: skip
    ending = timed_out(claim, kinds.get("test.rules_by_function"))
    assert (ending.status, ending.outcome) == (Status.PENDING, Outcome.TIMED_OUT)
    assert "retry_on failed" in caplog.text
