"""`manage.py retry_failed`, alone and beside a worker under which each task fails again at once."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from tasks.models import Status, Task
from tests.factories import make_task
from tests.queue_rows import jobs
from tests.waiting import wait_until
from tests.workers import is_idle

pytestmark = pytest.mark.django_db


def retry_failed(*options: str) -> str:
    output = StringIO()
    call_command("retry_failed", *options, stdout=output)
    return output.getvalue()


def statuses() -> dict[str, str]:
    return dict(Task.objects.values_list("kind", "status"))


def test_every_failed_task_is_queued_again_and_no_other(monkeypatch):
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 2)
    retried = {str(make_task(Status.FAILED).pk) for _ in range(5)}
    for status in (Status.COMPLETED, Status.CANCELLED):
        make_task(status)
    assert retry_failed() == "5 tasks queued again\n"
    assert {job.task_id for job in jobs()} == retried
    assert sorted(Task.objects.exclude(pk__in=retried).values_list("status", flat=True)) == [
        Status.CANCELLED, Status.COMPLETED,
    ]  # fmt: skip
    assert retry_failed() == "0 tasks queued again\n"


@pytest.mark.parametrize("option", ["--kind=test.sum", "--queue=other"])
def test_only_failed_tasks_of_the_given_kind_or_queue_are_queued_again(option):
    make_task(Status.FAILED)
    make_task(Status.FAILED, kind="test.sum", queue="other")
    assert retry_failed(option) == "1 task queued again\n"
    assert statuses() == {"test.script": Status.FAILED, "test.sum": Status.PENDING}


def test_a_task_must_match_both_a_given_kind_and_a_given_queue():
    make_task(Status.FAILED)
    make_task(Status.FAILED, kind="test.sum", queue="other")
    assert retry_failed("--kind=test.script", "--queue=other") == "0 tasks queued again\n"


@pytest.mark.django_db(transaction=True)
def test_a_task_that_fails_again_at_once_is_retried_once(monkeypatch, worker):
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 2)
    for _ in range(5):
        make_task(Status.FAILED, input={"do": "fatal"})
    worker()
    chunks = 0

    def fail_again_before_each_chunk(
        execute: Callable[..., Any], statement: str, *arguments: Any
    ) -> Any:
        nonlocal chunks
        if "FOR UPDATE" in statement and "SKIP LOCKED" in statement:
            chunks += 1
            assert chunks <= 3, "tasks that failed again are retried again"
            wait_until(is_idle, what="the retried tasks have failed again")
        return execute(statement, *arguments)

    with connection.execute_wrapper(fail_again_before_each_chunk):
        assert retry_failed() == "5 tasks queued again\n"
    assert chunks == 3
    wait_until(is_idle, what="the last chunk has failed again")
    assert list(Task.objects.values_list("status", "attempt")) == [(Status.FAILED, 2)] * 5
    assert [task.attempts.count() for task in Task.objects.all()] == [2] * 5
