"""Permits: how many tasks start, in which order, and what gives a permit back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

import tasks
from tasks import kinds, lifecycle, limits
from tasks.kinds.exceptions import FatalError, Retry, Snooze
from tasks.lifecycle.ending import Claim, Ending, completed, interrupted, raised, released
from tasks.models import Line, Permit, Queue, Scope, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import blocked, make_limit, permits, stage
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db


def _submit(count: int, **options: Any) -> list[Task]:
    return [tasks.submit("test.script", **options) for _ in range(count)]


def _error(error: Exception) -> Callable[[Claim], Ending]:
    return lambda held: raised(held, kinds.get("test.script"), error)


def test_no_more_start_than_the_limit_allows():
    limit = make_limit(concurrent=2)
    submitted = _submit(5)
    worker = make_worker()
    held = claim(worker)
    assert [claimed.id for claimed in held] == [task.id for task in submitted[:2]]
    assert claim(worker) == []
    assert permits() == {str(limit.id): 2}
    assert blocked() == 3
    finish(completed(held[0], {}))
    assert [claimed.id for claimed in claim(worker)] == [submitted[2].id]


def test_tasks_without_the_limit_are_not_held_up():
    make_limit(concurrent=1, name="limited")
    _submit(3, queue="limited")
    free = _submit(3)
    claimed = claim(make_worker())
    assert {task.id for task in free} < {held.id for held in claimed}
    assert len(claimed) == 4


@pytest.mark.parametrize(
    "end",
    [
        lambda held: completed(held, {}),
        _error(FatalError("requested")),
        _error(Retry(60)),
        _error(Snooze(60)),
        interrupted,
        released,
    ],
)
def test_the_end_of_an_attempt_gives_its_permit_back(end):
    make_limit(concurrent=1)
    first, second = _submit(2)
    worker = make_worker()
    (held,) = claim(worker)
    assert held.id == first.id
    finish(end(held))
    (next_held,) = claim(worker)
    # An interrupted or released task comes first again.
    assert next_held.id == (first.id if end in (interrupted, released) else second.id)
    assert claim(worker) == []


@pytest.mark.parametrize("verb", ["cancel", "delete"])
def test_a_task_that_is_gone_before_it_starts_gives_its_permit_back(verb):
    make_limit(concurrent=1)
    first, second = _submit(2)
    execute("UPDATE tasks_queue SET paused = true")
    other = make_worker(queues=["other"])
    assert claim(other, queues=["other"]) == []
    assert blocked() == 1
    getattr(lifecycle, verb)(first)
    assert [held.id for held in claim(make_worker())] == [second.id]


def test_a_rescued_task_waits_for_a_permit_again_and_comes_first():
    make_limit(concurrent=1)
    first, _ = _submit(2)
    claim(make_worker())
    execute("UPDATE tasks_worker SET heartbeat_at = now() - interval '1 minute'")
    assert lifecycle.rescue() == 1
    (held,) = claim(make_worker())
    assert held.id == first.id
    assert Permit.objects.filter(released_at=None).count() == 1


def test_a_retry_by_hand_waits_for_a_permit():
    make_limit(concurrent=1)
    first, _ = _submit(2)
    worker = make_worker()
    (held,) = claim(worker)
    finish(_error(FatalError("requested"))(held))
    claim(worker)
    lifecycle.retry(Task.objects.get(pk=first.pk))
    assert claim(worker) == []
    assert blocked() == 1


def test_deleting_an_owner_gives_the_permits_back():
    make_limit(concurrent=1)
    owner = User.objects.create_user("gone")
    _submit(1, owner=owner)
    (other,) = _submit(1)
    claim(make_worker())
    owner.delete()
    assert [held.id for held in claim(make_worker())] == [other.id]


def test_each_value_of_the_input_has_a_limit_of_its_own():
    limit = make_limit(Scope.KEY, "test.script", path="customer.id", concurrent=1)
    for customer in ("acme", "acme", "bolt", "bolt", None):
        tasks.submit("test.script", {"do": "return", "customer": {"id": customer}})
    tasks.submit("test.script", {"do": "return"})
    assert len(claim(make_worker())) == 3
    assert permits() == {f"{limit.id}:acme": 1, f"{limit.id}:bolt": 1, f"{limit.id}:": 1}


def test_each_owner_has_a_limit_of_its_own():
    make_limit(Scope.OWNER, "", concurrent=2)
    owners = [User.objects.create_user(name) for name in ("first", "second")]
    for owner in owners:
        _submit(3, owner=owner)
    _submit(3)
    claimed = [held.owner_id for held in claim(make_worker())]
    assert sorted(claimed, key=str) == sorted(
        [owners[0].pk] * 2 + [owners[1].pk] * 2 + [None] * 3, key=str
    )


def test_no_permit_is_taken_while_another_is_not_free():
    of_queue = make_limit(concurrent=3)
    of_key = make_limit(Scope.KEY, "test.script", path="customer", concurrent=1)
    for customer in ("acme", "acme", "acme", "bolt"):
        tasks.submit("test.script", {"do": "return", "customer": customer})
    assert len(claim(make_worker())) == 2
    assert permits() == {
        str(of_queue.id): 2, f"{of_key.id}:acme": 1, f"{of_key.id}:bolt": 1,
    }  # fmt: skip
    # The queue's third is free for others.
    tasks.submit("test.script", {"do": "return", "customer": "carl"})
    assert len(claim(make_worker())) == 1


def test_the_highest_priority_comes_first_then_owners_in_turn():
    make_limit(concurrent=1)
    first, second = (User.objects.create_user(name) for name in ("first", "second"))
    low = _submit(2, owner=first) + _submit(2, owner=second)
    (high,) = _submit(1, owner=first, priority=5)
    worker = make_worker()
    order = []
    for _ in range(5):
        (held,) = claim(worker)
        order.append(held.id)
        finish(completed(held, {}))
    assert order == [high.id, low[0].id, low[2].id, low[1].id, low[3].id]


def test_a_paused_queue_holds_no_permit_of_a_kind():
    make_limit(Scope.KIND, "test.script", concurrent=1)
    Queue.objects.create(name="paused", paused=True)
    _submit(2, queue="paused")
    (free,) = _submit(1)
    worker = make_worker()
    (held,) = claim(worker)
    assert held.id == free.id
    finish(completed(held, {}))
    assert claim(worker) == []
    lifecycle.resume_queue("paused")
    assert len(claim(worker)) == 1


def test_a_delayed_task_waits_for_its_time_and_then_for_a_permit():
    make_limit(concurrent=1)
    (later,) = _submit(1, delay=3600)
    (now,) = _submit(1)
    worker = make_worker()
    (held,) = claim(worker)
    assert held.id == now.id
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE isfinite(scheduled_at)")
    assert claim(worker) == []
    finish(completed(held, {}))
    assert [again.id for again in claim(worker)] == [later.id]


def test_lines_are_gone_when_nobody_waits():
    make_limit(concurrent=1)
    _submit(3)
    worker = make_worker()
    for _ in range(3):
        (held,) = claim(worker)
        finish(completed(held, {}))
    assert claim(worker) == []
    assert not Line.objects.exists()
    assert not Permit.objects.exists()


def test_one_step_does_a_bounded_part_and_the_next_ones_the_rest():
    limit = make_limit(Scope.KEY, "test.script", path="customer", concurrent=1, paused=True)
    for number in range(12):
        tasks.submit("test.script", {"do": "return", "customer": f"{number}"})
    stage(limit=100)
    assert blocked() == 12
    limits.change(limit, paused=False)
    steps = 0
    while blocked():
        steps += 1
        before = blocked()
        seconds = stage(limit=3)
        assert before - blocked() <= 3
        assert seconds == (0.0 if blocked() else None)
    assert steps >= 4
    assert len(claim(make_worker(), limit=20)) == 12
