"""Limits that are created, changed, paused and deleted while tasks wait and run."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

import tasks
from tasks import kinds, lifecycle, limits
from tasks.errors import InvalidInput, LimitGone
from tasks.kinds import Limit as DeclaredLimit
from tasks.kinds.exceptions import FatalError
from tasks.lifecycle.ending import completed, raised
from tasks.models import Limit, Permit, Scope, Status, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import blocked, make_limit, permits

pytestmark = pytest.mark.django_db


def _submit(count: int, customer: str | None = None, **options: Any) -> list[Task]:
    input = {"do": "return", "customer": customer}
    return [tasks.submit("test.script", input, **options) for _ in range(count)]


def test_raising_a_limit_starts_those_that_wait():
    limit = make_limit(concurrent=1)
    _submit(5)
    worker = make_worker()
    assert len(claim(worker)) == 1
    limits.change(limit, concurrent=3)
    assert len(claim(worker)) == 2
    limits.change(limit, concurrent=None)
    assert len(claim(worker)) == 2


def test_lowering_a_limit_takes_back_what_has_not_begun():
    limit = make_limit(concurrent=4)
    submitted = _submit(5)
    other = make_worker(queues=["other"])
    claim(other, queues=["other"])
    assert permits() == {str(limit.id): 4}
    limits.change(limit, concurrent=2)
    worker = make_worker()
    held = claim(worker)
    assert [claimed.id for claimed in held] == [task.id for task in submitted[:2]]
    assert claim(worker) == []
    assert blocked() == 3
    # Those that run go on; the next starts when fewer run than are allowed.
    limits.change(limit, concurrent=1)
    finish(completed(held[0], {}))
    assert claim(worker) == []
    finish(completed(held[1], {}))
    assert [claimed.id for claimed in claim(worker)] == [submitted[2].id]


def test_a_paused_limit_starts_nothing_and_holds_up_no_other():
    of_queue = make_limit(concurrent=1)
    of_key = make_limit(Scope.KEY, "test.script", path="customer", concurrent=5)
    acme = limits.create(
        scope="key", name="test.script", by="customer", key="acme", paused=True,
        paused_reason="their server is down", operator="root",
    )  # fmt: skip
    assert (acme.paused_by, acme.paused_reason) == ("root", "their server is down")
    assert acme.paused_at is not None
    paused, free = _submit(2, "acme"), _submit(1, "bolt")
    worker = make_worker()
    (held,) = claim(worker)
    assert held.id == free[0].id
    assert permits() == {str(of_queue.id): 1, f"{of_key.id}:bolt": 1}
    finish(completed(held, {}))
    assert claim(worker) == []
    acme = limits.change(acme, paused=False)
    assert (acme.paused_by, acme.paused_reason, acme.paused_at) == ("", "", None)
    assert [again.id for again in claim(worker)] == [paused[0].id]


def test_pausing_takes_back_what_has_not_begun():
    limit = make_limit(Scope.KIND, "test.script", concurrent=2)
    _submit(3)
    other = make_worker(queues=["other"])
    claim(other, queues=["other"])
    limits.change(limit, paused=True)
    assert claim(make_worker()) == []
    assert permits() == {}


def test_pausing_a_queue_gives_its_permits_to_others():
    make_limit(Scope.KIND, "test.script", concurrent=1)
    _submit(1, queue="slow")
    (free,) = _submit(1)
    other = make_worker(queues=["other"])
    claim(other, queues=["other"])
    lifecycle.pause_queue("slow")
    assert [held.id for held in claim(make_worker())] == [free.id]


def test_an_exception_changes_the_limit_of_one_value():
    limit = make_limit(Scope.KEY, "test.script", path="customer", concurrent=1)
    exception = limits.create(
        scope="key", name="test.script", by="customer", key="acme", concurrent=2
    )
    assert exception.parent == limit
    _submit(3, "acme")
    _submit(3, "bolt")
    assert len(claim(make_worker())) == 3
    assert permits() == {f"{limit.id}:acme": 2, f"{limit.id}:bolt": 1}
    limits.delete(exception)
    limits.change(limit, concurrent=2)
    assert len(claim(make_worker())) == 1


def test_an_exception_of_an_owner_needs_no_general_limit():
    owner = User.objects.create_user("acme")
    limits.create(scope="owner", name="acme", concurrent=1)
    _submit(3, owner=owner)
    _submit(2, owner=User.objects.create_user("bolt"))
    assert len(claim(make_worker())) == 3
    general = Limit.objects.get(parent=None)
    assert (general.concurrent, general.rate) == (None, None)


def test_a_deleted_limit_holds_nothing_up():
    limit = make_limit(concurrent=1)
    _submit(3)
    worker = make_worker()
    claim(worker)
    limits.delete(limit)
    assert len(claim(worker)) == 2
    assert Permit.objects.filter(task_id=None).count() == 0
    with pytest.raises(LimitGone):
        limits.change(limit, concurrent=2)


def test_tasks_that_are_older_than_a_limit_come_under_it():
    waiting = _submit(4)
    worker = make_worker()
    running = claim(worker, limit=2)
    later = tasks.submit("test.script", delay=3600)
    limit = limits.create(scope="queue", name="default", concurrent=2)
    assert limit.applies_at is None
    adoption = limits.Adoption()
    adoption.step()
    limit.refresh_from_db()
    # The first walk changed tasks, so a second one must find nothing left.
    assert limit.applies_at is None
    adoption.step()
    limit.refresh_from_db()
    assert limit.applies_at is not None
    assert permits() == {str(limit.id): 2}
    assert claim(worker) == []
    finish(completed(running[0], {}))
    assert [held.id for held in claim(worker)] == [waiting[2].id]
    later.refresh_from_db()
    assert later.limit_keys == [str(limit.id)]
    assert later.lane == "scheduled"


def test_a_blocked_task_comes_under_a_second_limit():
    make_limit(concurrent=3)
    _submit(5)
    worker = make_worker()
    held = claim(worker, limit=1)
    limits.create(scope="kind", name="test.script", concurrent=2)
    for _ in range(2):
        limits.Adoption().step()
    assert len(claim(worker)) == 1
    finish(completed(held[0], {}))
    assert len(claim(worker)) == 1
    assert Task.objects.filter(status=Status.PENDING).count() == 2


def test_tasks_that_ended_before_a_limit_come_under_it_when_they_are_retried():
    worker = make_worker()
    ended = _submit(4)
    for held in claim(worker):
        finish(raised(held, kinds.get("test.script"), FatalError("requested")))
    make_limit(concurrent=1)
    assert lifecycle.retry_many([task.id for task in ended]) == 4
    assert len(claim(worker)) == 1
    assert claim(worker) == []


def test_a_general_limit_may_come_after_its_exception_and_goes_with_it():
    place: dict[str, Any] = {"scope": "key", "name": "test.script", "by": "customer"}
    exception = limits.create(**place, key="acme", concurrent=3)
    general = limits.create(**place, concurrent=5)
    assert general == exception.parent
    assert Limit.objects.count() == 2
    with pytest.raises(InvalidInput, match="such a limit"):
        limits.create(**place, concurrent=6)
    limits.delete(exception)
    assert list(Limit.objects.all()) == [general]
    limits.delete(general)
    limits.delete(limits.create(**place, key="acme", concurrent=3))
    assert not Limit.objects.exists()


def test_declared_limits_are_rows_that_operators_may_change(monkeypatch):
    registered = kinds.get("test.script")

    def declare(*declared: DeclaredLimit) -> list[tuple[str, int | None, str]]:
        monkeypatch.setitem(registered.__dict__, "limit", declared)
        limits.declare()
        rows = Limit.objects.filter(name="test.script").order_by("path")
        return [(row.path, row.concurrent, str(row.per_period or "")) for row in rows]

    first = DeclaredLimit(concurrent=5, rate="100/m", key="customer")
    assert declare(first) == [("customer", 5, "100/m")]
    limits.change(Limit.objects.get(name="test.script"), concurrent=7)
    assert declare(first) == [("customer", 7, "100/m")]
    second = DeclaredLimit(concurrent=6, key="customer")
    assert declare(second) == [("customer", 6, "")]
    assert declare(second, DeclaredLimit(concurrent=50)) == [("", 50, ""), ("customer", 6, "")]
    assert declare() == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"scope": "room", "name": "default"}, "scope"),
        ({"scope": "queue", "name": "no queue"}, "name"),
        ({"scope": "queue", "name": "callbacks"}, "name"),
        ({"scope": "kind", "name": "no.such"}, "name"),
        ({"scope": "kind", "name": "callback.deliver"}, "name"),
        ({"scope": "owner", "name": "no-such-account"}, "name"),
        ({"scope": "key", "name": "test.script"}, "by"),
        ({"scope": "key", "name": "test.script", "by": "a..b"}, "by"),
        ({"scope": "queue", "name": "default", "by": "customer"}, "by"),
        ({"scope": "kind", "name": "test.script", "key": "acme"}, "key"),
        ({"scope": "queue", "name": "default"}, "concurrent"),
        (
            {"scope": "queue", "name": "default", "concurrent": 2, "paused_reason": "x"},
            "paused_reason",
        ),
        ({"scope": "queue", "name": "default", "concurrent": 0}, "concurrent"),
        ({"scope": "queue", "name": "default", "concurrent": 1.5}, "concurrent"),
        ({"scope": "queue", "name": "default", "rate": "100"}, "rate"),
        ({"scope": "queue", "name": "default", "rate": "1/31d"}, "rate"),
        ({"scope": "queue", "name": "default", "burst": 2}, "burst"),
        ({"scope": "queue", "name": "default", "rate": "5/m", "burst": 6}, "burst"),
    ],
)
def test_a_wrong_value_is_named(fields, wrong):
    with pytest.raises(InvalidInput) as caught:
        limits.create(**fields)
    assert [error.field for error in caught.value.errors] == [wrong]
    assert not Limit.objects.exists()


def test_a_limit_exists_once():
    limits.create(scope="queue", name="default", concurrent=2)
    with pytest.raises(InvalidInput, match="such a limit"):
        limits.create(scope="queue", name="default", concurrent=3)
