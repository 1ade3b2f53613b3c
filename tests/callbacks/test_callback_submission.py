"""Callbacks are submitted by the statement that ends their task, or not at all."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction

import tasks
from tasks import kinds, lifecycle
from tasks.callbacks.retry_schedule import MAX_ATTEMPTS
from tasks.correlation import running
from tasks.kinds.exceptions import Cancel, FatalError, Snooze
from tasks.lifecycle.ending import Claim, completed, raised, released, timed_out
from tasks.models import Status, Task
from tests.causes import CAUSE, Caused
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute, job_of, jobs

pytestmark = pytest.mark.django_db

URL = "https://example.com/hook"


def callbacks() -> list[Task]:
    return list(Task.objects.filter(kind="callback.deliver"))


def claimed(**options: Any) -> Claim:
    tasks.submit("test.script", callback_url=URL, **options)
    (held,) = claim(make_worker())
    return held


def end(held: Claim, error: BaseException) -> None:
    finish(raised(held, kinds.get(held.kind), error))


def test_a_completed_task_submits_its_callback(user: Any) -> None:
    held = claimed(owner=user)
    finish(completed(held, {"answer": 42}))
    (callback,) = callbacks()
    task = Task.objects.get(pk=held.id)
    kind = kinds.get("callback.deliver")
    kind.validate(callback.input)
    assert callback.input["task_id"] == str(held.id)
    assert callback.input["status"] == "COMPLETED"
    assert dt.datetime.fromisoformat(callback.input["ended_at"]) == task.finished_at
    assert (callback.queue, callback.owner, callback.lane) == (kind.queue, user, "primary")
    assert callback.max_attempts == kind.retry.max_retries + 1 == MAX_ATTEMPTS
    assert (callback.batch, callback.callback_url) == (None, "")
    (job,) = jobs()
    assert (job, job.task_id, job.queue) == (job_of(callback), str(callback.id), "callbacks")
    (next_claim,) = claim(make_worker())
    assert (next_claim.id, next_claim.kind) == (callback.id, "callback.deliver")


def test_a_callback_has_the_cause_of_its_task() -> None:
    with running(Caused()):
        finish(completed(claimed(), {}))
        lifecycle.cancel(tasks.submit("test.script", callback_url=URL))
    assert {callback.cause for callback in callbacks()} == {CAUSE}


def test_the_id_of_a_callback_is_ordered_by_time() -> None:
    finish(completed(claimed(), {}))
    (callback,) = callbacks()
    after = tasks.submit("test.script")
    assert (callback.id.version, callback.id.variant) == (7, "specified in RFC 4122")
    assert abs((callback.id.int >> 80) - (after.id.int >> 80)) < 10_000


@pytest.mark.parametrize(
    ("error", "status"), [(FatalError("no"), Status.FAILED), (Cancel(), Status.CANCELLED)]
)
def test_a_failed_or_cancelled_task_submits_its_callback(error: Exception, status: Status) -> None:
    end(claimed(), error)
    assert [callback.input["status"] for callback in callbacks()] == [status]


@pytest.mark.parametrize("error", [ValueError("again"), Snooze(1)])
def test_an_attempt_that_is_not_the_last_submits_no_callback(error: Exception) -> None:
    end(claimed(), error)
    assert callbacks() == []


def test_a_task_that_is_cancelled_while_it_runs_submits_its_callback_at_its_end() -> None:
    held = claimed()
    lifecycle.cancel(Task.objects.get())
    assert callbacks() == []
    end(held, ValueError("again"))
    assert [callback.input["status"] for callback in callbacks()] == [Status.CANCELLED]


def test_a_task_that_is_cancelled_while_it_waits_submits_its_callback() -> None:
    task = tasks.submit("test.script", callback_url=URL)
    lifecycle.cancel(task)
    (callback,) = callbacks()
    assert callback.input["status"] == Status.CANCELLED
    assert [job.task_id for job in jobs()] == [str(callback.id)]


def test_a_task_that_is_ended_by_a_rescue_submits_its_callback() -> None:
    worker = make_worker(silent_for=60)
    make_task(Status.PROCESSING, worker_id=worker, callback_url=URL, losses=9)
    make_task(Status.PROCESSING, worker_id=worker, callback_url=URL, cancel_requested=True)
    make_task(Status.PROCESSING, worker_id=worker, callback_url=URL)
    assert lifecycle.rescue() == 3
    statuses = {callback.input["status"] for callback in callbacks()}
    assert statuses == {Status.FAILED, Status.CANCELLED}


def test_a_task_without_a_url_submits_no_callback() -> None:
    tasks.submit("test.script")
    (held,) = claim(make_worker())
    finish(completed(held, {}))
    assert (callbacks(), jobs()) == ([], [])


def test_a_stale_or_repeated_finish_submits_no_second_callback() -> None:
    held = claimed()
    ending = completed(held, {})
    assert [finish(ending), finish(ending), finish(timed_out(held, kinds.get(held.kind)))] == [
        1,
        0,
        0,
    ]
    assert len(callbacks()) == 1


def test_a_released_task_submits_no_callback() -> None:
    held = claimed()
    finish(released(held))
    finish(completed(held, {}))
    assert callbacks() == []


def test_a_group_finish_submits_callbacks_only_for_tasks_with_a_url() -> None:
    for url in (URL, "", URL):
        tasks.submit("test.script", callback_url=url)
    claims = claim(make_worker())
    finish(*(completed(held, {}) for held in claims))
    assert {callback.input["task_id"] for callback in callbacks()} == {
        str(claims[0].id),
        str(claims[2].id),
    }


def test_a_finish_that_rolls_back_leaves_no_callback() -> None:
    held = claimed()
    with transaction.atomic():
        lifecycle.finish(completed(held, {}), worker="test:1")
        assert len(callbacks()) == 1
        transaction.set_rollback(True)
    assert callbacks() == []


def test_a_task_that_is_retried_by_hand_submits_a_callback_for_each_end() -> None:
    end(claimed(), FatalError("no"))
    lifecycle.retry(Task.objects.get(kind="test.script"))
    execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'callbacks'")
    (again,) = claim(make_worker())
    finish(completed(again, {}))
    assert sorted(callback.input["status"] for callback in callbacks()) == ["COMPLETED", "FAILED"]
