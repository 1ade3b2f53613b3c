"""A callback comes with the end of its task, in the same statement, or not at all."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import transaction

import tasks
from tasks import kinds, lifecycle
from tasks.callbacks.retry_schedule import MAX_ATTEMPTS
from tasks.kinds.exceptions import Cancel, FatalError, Snooze
from tasks.lifecycle.ending import Claim, completed, raised, released, timed_out
from tasks.models import Status, Task
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute, job_of, jobs

pytestmark = pytest.mark.django_db

URL = "https://example.com/hook"


def callbacks() -> list[Task]:
    return list(Task.objects.filter(kind="callback.deliver"))


def claimed(**options: Any) -> Claim:
    tasks.submit("test.script", callback_url=URL, **options)
    (one,) = claim(make_worker())
    return one


def end(one: Claim, error: BaseException) -> None:
    finish(raised(one, kinds.get(one.kind), error))


def test_a_completed_task_brings_its_callback(user: Any) -> None:
    one = claimed(owner=user)
    finish(completed(one, {"answer": 42}))
    (callback,) = callbacks()
    told_about = Task.objects.get(pk=one.id)
    kind = kinds.get("callback.deliver")
    kind.validate(callback.input)
    assert callback.input["task_id"] == str(one.id)
    assert callback.input["status"] == "COMPLETED"
    assert dt.datetime.fromisoformat(callback.input["ended_at"]) == told_about.finished_at
    assert (callback.queue, callback.owner, callback.lane) == (kind.queue, user, "primary")
    assert callback.max_attempts == kind.retry.max_retries + 1 == MAX_ATTEMPTS
    assert (callback.batch, callback.callback_url) == (None, "")
    (job,) = jobs()
    assert (job, job.task_id, job.queue) == (job_of(callback), str(callback.id), "callbacks")
    (found,) = claim(make_worker())
    assert (found.id, found.kind) == (callback.id, "callback.deliver")


def test_its_id_is_in_its_place_among_those_of_its_time() -> None:
    finish(completed(claimed(), {}))
    (callback,) = callbacks()
    after = tasks.submit("test.script")
    assert (callback.id.version, callback.id.variant) == (7, "specified in RFC 4122")
    assert abs((callback.id.int >> 80) - (after.id.int >> 80)) < 10_000


@pytest.mark.parametrize(
    ("error", "status"), [(FatalError("no"), Status.FAILED), (Cancel(), Status.CANCELLED)]
)
def test_so_does_one_that_failed_or_was_cancelled(error: Exception, status: Status) -> None:
    end(claimed(), error)
    assert [one.input["status"] for one in callbacks()] == [status]


@pytest.mark.parametrize("error", [ValueError("again"), Snooze(1)])
def test_an_attempt_that_is_not_the_last_brings_none(error: Exception) -> None:
    end(claimed(), error)
    assert callbacks() == []


def test_what_was_asked_to_stop_and_is_cancelled_by_its_finish_brings_it() -> None:
    one = claimed()
    lifecycle.cancel(Task.objects.get())
    assert callbacks() == []
    end(one, ValueError("again"))
    assert [one.input["status"] for one in callbacks()] == [Status.CANCELLED]


def test_a_task_that_is_cancelled_while_it_waits_brings_it() -> None:
    task = tasks.submit("test.script", callback_url=URL)
    lifecycle.cancel(task)
    (callback,) = callbacks()
    assert callback.input["status"] == Status.CANCELLED
    assert [job.task_id for job in jobs()] == [str(callback.id)]


def test_a_task_that_was_lost_too_often_brings_it() -> None:
    worker = make_worker(silent_for=60)
    make_task(Status.PROCESSING, worker_id=worker, callback_url=URL, losses=9)
    make_task(Status.PROCESSING, worker_id=worker, callback_url=URL, cancel_requested=True)
    make_task(Status.PROCESSING, worker_id=worker, callback_url=URL)
    assert lifecycle.rescue() == 3
    told = {one.input["status"] for one in callbacks()}
    assert told == {Status.FAILED, Status.CANCELLED}


def test_without_a_url_there_is_none() -> None:
    tasks.submit("test.script")
    (one,) = claim(make_worker())
    finish(completed(one, {}))
    assert (callbacks(), jobs()) == ([], [])


def test_a_stale_or_repeated_finish_brings_no_second_one() -> None:
    one = claimed()
    ending = completed(one, {})
    assert [finish(ending), finish(ending), finish(timed_out(one, kinds.get(one.kind)))] == [
        1,
        0,
        0,
    ]
    assert len(callbacks()) == 1


def test_what_is_handed_back_brings_none() -> None:
    one = claimed()
    finish(released(one))
    finish(completed(one, {}))
    assert callbacks() == []


def test_only_members_of_a_group_that_want_one_have_one() -> None:
    for url in (URL, "", URL):
        tasks.submit("test.script", callback_url=url)
    claims = claim(make_worker())
    finish(*(completed(one, {}) for one in claims))
    assert {one.input["task_id"] for one in callbacks()} == {
        str(claims[0].id),
        str(claims[2].id),
    }


def test_a_finish_that_rolls_back_leaves_no_callback() -> None:
    one = claimed()
    with transaction.atomic():
        lifecycle.finish(completed(one, {}), worker="test:1")
        assert len(callbacks()) == 1
        transaction.set_rollback(True)
    assert callbacks() == []


def test_a_task_that_is_retried_by_hand_tells_of_its_second_end_too() -> None:
    end(claimed(), FatalError("no"))
    lifecycle.retry(Task.objects.get(kind="test.script"))
    execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'callbacks'")
    (again,) = claim(make_worker())
    finish(completed(again, {}))
    assert sorted(one.input["status"] for one in callbacks()) == ["COMPLETED", "FAILED"]
