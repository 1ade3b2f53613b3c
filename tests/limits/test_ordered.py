"""Ordered limits: tasks run one after another, each until it has ended."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

import tasks
from tasks import invariants, kinds, lifecycle, limits, sql
from tasks.errors import InvalidInput
from tasks.kinds import Limit as Declared
from tasks.kinds.exceptions import FatalError, Retry, Snooze
from tasks.lifecycle.ending import Claim, completed, interrupted, raised, released
from tasks.models import Limit, Permit, Queue, Scope, Status, Task
from tasks.stats import waiting_reason
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import due, make_limit, permits
from tests.script.models import Effect
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def limit() -> Limit:
    return make_limit(Scope.KEY, "test.script", path="account", concurrent=1, ordered=True)


def submit(account: int = 1, **options: Any) -> Task:
    return tasks.submit("test.script", {"do": "return", "account": account}, **options)


def fail(held: Claim, error: BaseException) -> None:
    finish(raised(held, kinds.get("test.script"), error))


def start(worker: int) -> Claim:
    """Claim the one task that may start."""
    (held,) = claim(worker)
    return held


def assert_intact() -> None:
    report = invariants.verify(wait=lambda seconds: True)
    assert report is not None
    assert report.is_clean, str(report)


def test_tasks_start_in_the_order_of_their_submission_whatever_their_priorities_and_owners(
    limit: Limit,
) -> None:
    ann, bob = (User.objects.create_user(name) for name in ("ann", "bob"))
    submitted = [
        submit(owner=ann), submit(owner=ann), submit(owner=bob, priority=9), submit(owner=ann),
        submit(priority=-5), submit(owner=bob),
    ]  # fmt: skip
    other = submit(2)
    worker = make_worker()
    started = []
    for _ in submitted:
        for held in claim(worker):
            finish(completed(held, {}))
            started.append(held.id)
    assert [task_id for task_id in started if task_id != other.pk] == [
        task.pk for task in submitted
    ]
    assert other.pk in started


@pytest.mark.parametrize("pause", [Retry(60), Snooze(60), ValueError("requested")])
def test_a_task_that_waits_for_its_next_attempt_keeps_its_turn(
    limit: Limit, pause: BaseException
) -> None:
    first, second, third = submit(), submit(priority=5), submit()
    worker = make_worker()
    fail(start(worker), pause)
    assert claim(worker) == []
    assert permits() == {f"{limit.pk}:1": 1}
    assert_intact()
    due(first)
    held = start(worker)
    assert held.id == first.pk
    finish(completed(held, {}))
    assert [start(worker).id, *claim(worker)] == [second.pk]
    assert Task.objects.get(pk=third.pk).status == Status.PENDING


@pytest.mark.parametrize("begun", [True, False])
def test_a_task_that_is_retried_by_hand_goes_to_the_end(limit: Limit, begun: bool) -> None:
    first, second = submit(), submit()
    worker = make_worker()
    if begun:
        fail(start(worker), FatalError("requested"))
    else:
        lifecycle.cancel(first)
    third = submit()
    lifecycle.retry(Task.objects.get(pk=first.pk))
    held = start(worker)
    assert held.id == second.pk
    waiting = waiting_reason(Task.objects.get(pk=first.pk))
    assert waiting is not None
    assert waiting.place == 2
    for expected in (third, first):
        finish(completed(held, {}))
        held = start(worker)
        assert held.id == expected.pk
    fail(held, Retry(60))
    limits.change(limit, paused=True)
    submit()
    due(first)
    assert claim(worker) == []
    limits.change(limit, paused=False)
    assert start(worker).id == first.pk
    assert_intact()


@pytest.mark.parametrize("end", [interrupted, released])
def test_a_task_that_is_handed_back_goes_on_first(limit: Limit, end: Any) -> None:
    first, _ = submit(), submit()
    worker = make_worker()
    finish(end(start(worker)))
    assert start(worker).id == first.pk


def test_a_rescued_task_goes_on_first(limit: Limit) -> None:
    first, _ = submit(), submit()
    start(make_worker(silent_for=60))
    assert lifecycle.rescue() == 1
    due(first)
    assert start(make_worker("test:2")).id == first.pk


@pytest.mark.parametrize("how", ["fails", "is cancelled", "is deleted", "expires"])
def test_the_next_one_starts_when_the_one_before_has_ended(limit: Limit, how: str) -> None:
    first = submit(expires_in=0.05 if how == "expires" else None)
    second = submit()
    worker = make_worker()
    if how == "expires":
        wait_until(lambda: timezone.now() > first.expires_at)
        assert claim(worker) == []
        assert lifecycle.expire() == 1
    else:
        fail(start(worker), FatalError("requested") if how == "fails" else Retry(60))
        if how == "is cancelled":
            lifecycle.cancel(first)
        if how == "is deleted":
            lifecycle.delete(first)
    assert start(worker).id == second.pk
    assert_intact()


def test_a_task_has_its_turn_while_another_limit_holds_it_back(limit: Limit) -> None:
    make_limit(name="default", concurrent=1)
    running = tasks.submit("test.script", {"do": "return", "account": 2})
    first, second = submit(priority=-5), submit(priority=5, queue="other")
    worker = make_worker()
    held = start(worker)
    assert held.id == running.pk
    assert claim(worker) == []
    assert permits()[f"{limit.pk}:1"] == 1
    assert_intact()
    finish(completed(held, {}))
    held = start(worker)
    assert held.id == first.pk
    finish(completed(held, {}))
    assert start(worker).id == second.pk


def test_a_paused_limit_starts_no_attempt_and_keeps_the_order(limit: Limit) -> None:
    first, second, _ = submit(), submit(), submit()
    worker = make_worker()
    fail(start(worker), Retry(60))
    limits.change(limit, paused=True)
    due(first)
    assert claim(worker) == []
    assert permits() == {}
    assert_intact()
    limits.change(limit, paused=False)
    held = start(worker)
    assert held.id == first.pk
    finish(completed(held, {}))
    assert start(worker).id == second.pk


def test_a_paused_limit_takes_the_turn_of_a_task_that_another_limit_holds_back(
    limit: Limit,
) -> None:
    narrow = make_limit(name="default", concurrent=1)
    other, first, second = submit(2), submit(), submit()
    worker = make_worker()
    held = start(worker)
    assert held.id == other.pk
    limits.change(limit, paused=True)
    finish(completed(held, {}))
    assert claim(worker) == []
    limits.change(limit, paused=False)
    assert start(worker).id == first.pk
    assert permits() == {f"{limit.pk}:1": 1, str(narrow.pk): 1}
    assert Task.objects.get(pk=second.pk).status == Status.PENDING


def test_a_paused_queue_leaves_a_task_its_turn(limit: Limit) -> None:
    first, _ = submit(), submit(queue="other")
    worker = make_worker()
    claim(make_worker("nothing:1"), queues=["nothing"])
    assert permits() == {f"{limit.pk}:1": 1}
    lifecycle.pause_queue("default")
    assert claim(worker) == []
    assert permits() == {f"{limit.pk}:1": 1}
    assert_intact()
    lifecycle.resume_queue("default")
    assert start(worker).id == first.pk
    assert not Queue.objects.filter(paused=True).exists()


def test_a_task_under_an_ordered_limit_says_what_it_waits_for(limit: Limit) -> None:
    first, second, third = submit(), submit(), submit()
    worker = make_worker()
    fail(start(worker), Retry(60))
    claim(worker)
    backoff = waiting_reason(Task.objects.get(pk=first.pk))
    assert backoff is not None
    assert backoff.reason == "backoff"
    for place, task in ((1, second), (2, third)):
        waiting = waiting_reason(Task.objects.get(pk=task.pk))
        assert waiting is not None
        assert (waiting.reason, waiting.place, waiting.eta_s) == ("limit", place, None)
        assert waiting.detail == (
            "One task after another for account 1; the one before has not ended."
        )


def test_a_new_ordered_limit_counts_older_tasks() -> None:
    first, second = submit(), submit()
    worker = make_worker()
    (held,) = claim(worker, limit=1)
    limit = limits.create(
        scope="key", name="test.script", by="account", ordered=True, operator="ann"
    )
    adopt()
    fail(held, Retry(60))
    assert claim(worker) == []
    assert Permit.objects.get(released_at=None).is_ordered
    due(first)
    held = start(worker)
    assert held.id == first.pk
    finish(completed(held, {}))
    assert start(worker).id == second.pk
    assert limit.ordered


def adopt() -> None:
    """Bring waiting and running tasks under new limits."""
    sql.run(sql.ADOPT, {"after": 0, "limit": 100})
    sql.run(sql.ADOPT_RUNNING, {})


def test_a_kind_has_at_most_one_ordered_limit_without_numbers() -> None:
    limit = limits.create(scope="key", name="test.script", by="account", ordered=True)
    assert (limit.concurrent, limit.rate, limit.ordered) == (1, None, True)
    refusals: list[dict[str, Any]] = [
        {"scope": "kind", "name": "test.script"},
        {"scope": "key", "name": "test.script", "by": "other"},
        {"scope": "queue", "name": "default"},
        {"scope": "key", "name": "test.script", "by": "account", "key": "7"},
    ]
    for values in refusals:
        with pytest.raises(InvalidInput) as refused:
            limits.create(**values, ordered=True)
        assert [error.field for error in refused.value.errors] == ["ordered"]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"concurrent": 2}, "concurrent"), ({"concurrent": None}, "concurrent"),
        ({"rate": "1/s"}, "rate"),
    ]  # fmt: skip
    for change, field in changes:
        with pytest.raises(InvalidInput) as refused:
            limits.change(limit, **change)
        assert [error.field for error in refused.value.errors] == [field]
    exception = limits.create(scope="key", name="test.script", by="account", key="7", paused=True)
    with pytest.raises(InvalidInput):
        limits.change(exception, rate="1/s")
    with pytest.raises(InvalidInput):
        limits.create(scope="key", name="test.script", by="account", key="8", concurrent=2)


@pytest.mark.parametrize("values", [{"concurrent": 2}, {"rate": "1/s"}])
def test_a_declared_limit_with_numbers_is_not_ordered(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="neither concurrent nor rate"):
        Declared(ordered=True, **values)


def test_declared_limits_become_ordered_and_unordered(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = kinds.get("test.script")

    def code_says(*declared: Declared) -> list[tuple[str, bool, int | None]]:
        monkeypatch.setitem(registered.__dict__, "limit", declared)
        limits.declare()
        rows = Limit.objects.filter(name="test.script").order_by("path")
        return [(row.path, row.ordered, row.concurrent) for row in rows]

    assert code_says(Declared(key="a", ordered=True)) == [("a", True, 1)]
    assert code_says(Declared(key="b", ordered=True)) == [("b", True, 1)]
    assert code_says(Declared(key="b", concurrent=3)) == [("b", False, 3)]
    assert code_says(Declared(key="b", concurrent=3), Declared(ordered=True)) == [
        ("", True, 1), ("b", False, 3),
    ]  # fmt: skip


def test_the_order_holds_with_failures_and_several_processes(run_tasks) -> None:
    """Each effect is that of the earliest task of its account that has not ended."""
    make_limit(Scope.KEY, "test.ordered", path="account", concurrent=1, ordered=True)
    chance = random.Random(7)
    submitted: dict[int, list[Task]] = {account: [] for account in range(3)}
    for _ in range(60):
        account = chance.randrange(3)
        submitted[account].append(
            tasks.submit(
                "test.ordered",
                {"account": account, "fails": chance.choice([0, 0, 1, 2, 9])},
                priority=chance.choice([-5, 0, 5]),
            )
        )
    run_tasks(processes=2, concurrency=8)
    effects = list(Effect.objects.order_by("id").values_list("task_id", flat=True))
    for of_account in submitted.values():
        order = [task.pk for task in of_account]
        ran = [order.index(task_id) for task_id in effects if task_id in order]
        assert ran == sorted(ran)
        assert set(ran) == set(range(len(order)))
    ended = set(Task.objects.filter(kind="test.ordered").values_list("status", flat=True))
    assert ended == {Status.COMPLETED, Status.FAILED}
    assert_intact()
