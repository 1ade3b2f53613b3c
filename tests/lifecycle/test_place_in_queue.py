"""Tasks that are queued again: their place among those that wait, and whose turn they take."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

import tasks
from tasks import lifecycle
from tasks.kinds import get
from tasks.kinds.exceptions import Snooze
from tasks.lifecycle.ending import interrupted, raised, released
from tasks.models import Status, Task
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute, jobs

pytestmark = pytest.mark.django_db


def _submit(owner: User, count: int) -> list[Task]:
    return [tasks.submit("test.script", owner=owner) for _ in range(count)]


def _order() -> list[object]:
    """Return the owners in the order in which the tasks that wait are claimed."""
    return [claimed.owner_id for claimed in claim(make_worker(), limit=100)]


@pytest.mark.parametrize("end", [released, interrupted, None])
def test_a_task_that_used_no_attempt_comes_before_those_that_wait(end):
    first, second = User.objects.create_user("first"), User.objects.create_user("second")
    _submit(first, 4)
    _submit(second, 2)
    claimed = claim(make_worker(), limit=3)
    if end:
        finish(*(end(held) for held in claimed))
    else:
        execute("UPDATE tasks_worker SET heartbeat_at = now() - interval '1 minute'")
        assert lifecycle.rescue() == 3
    again = [held.id for held in claim(make_worker(), limit=3)]
    assert again == sorted(held.id for held in claimed)


def test_a_released_task_does_not_move_the_turns_of_owners_who_come_later():
    early, late = User.objects.create_user("early"), User.objects.create_user("late")
    _submit(early, 20)
    claimed = claim(make_worker(), limit=10)
    finish(released(claimed[0]))
    _submit(late, 5)
    # The released one, then both in turns from the turn that is being served.
    assert _order() == [early.pk, *[early.pk, late.pk] * 5, *[early.pk] * 5]


def test_a_snoozed_task_waits_in_the_turns_of_its_owner():
    early, late = User.objects.create_user("early"), User.objects.create_user("late")
    (snoozed,) = _submit(early, 1)
    (held,) = claim(make_worker())
    finish(raised(held, get("test.script"), Snooze(5)))
    _submit(early, 3)
    _submit(late, 3)
    for table in ("procrastinate_jobs", "tasks_task"):
        execute(f"UPDATE {table} SET scheduled_at = now() WHERE scheduled_at IS NOT NULL")
    assert _order() == [early.pk, late.pk] * 3 + [early.pk]
    assert Task.objects.get(pk=snoozed.pk).status == Status.PROCESSING


def test_a_released_callback_waits_in_the_turns_of_its_receiver():
    ended = make_task(Status.COMPLETED, callback_url="https://example.com/a")
    tasks.submit("callback.deliver", {"task_id": str(ended.id), "status": "COMPLETED"})
    ((receiver,),) = execute(
        "SELECT tasks_receiver(owner_id, callback_url) FROM tasks_task WHERE id = %s", [ended.id]
    )
    finish(*(released(held) for held in claim(make_worker())))
    assert execute("SELECT tasks_owner FROM procrastinate_jobs") == [(receiver,)]


def test_a_claim_by_the_version_before_is_rescued_with_its_job():
    worker = make_worker("before:1", silent_for=16)
    lost = make_task(Status.PROCESSING, worker_id=worker)
    execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, status)"
        " SELECT job_id, queue, 'task:' || kind, jsonb_build_object('task_id', id), 'doing'"
        " FROM tasks_task"
    )
    assert lifecycle.rescue() == 1
    assert [(job.id, job.status) for job in jobs()] == [(lost.job_id, "todo")]
    assert [held.id for held in claim(make_worker())] == [lost.id]


def test_a_worker_that_has_lost_its_lease_claims_nothing():
    tasks.submit("test.script")
    worker = make_worker(silent_for=16)
    lifecycle.rescue()
    assert claim(worker) == []
    execute("DELETE FROM tasks_worker")
    assert claim(worker) == []
    assert len(claim(make_worker())) == 1
