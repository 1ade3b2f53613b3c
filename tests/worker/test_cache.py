"""Results that are used again: the same input runs once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

import tasks
from tasks import invariants, lifecycle
from tasks.counts import ENDED, MOVED, counts
from tasks.errors import UniqueConflict
from tasks.kinds import all_kinds
from tasks.kinds.exceptions import Snooze
from tasks.lifecycle.ending import completed, raised
from tasks.lifecycle.preparation import prepare
from tasks.models import Permit, Scope, Status, Task
from tasks.models.attempt import history_of
from tasks.stats import waiting_reason
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import due, make_limit, stage
from tests.queue_rows import execute, jobs
from tests.script.models import Effect
from tests.threads import in_threads
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def submit(value: Any = 1, kind: str = "test.cached", **options: Any) -> Task:
    return tasks.submit(kind, {"value": value}, **options)


def fresh(task: Task) -> Task:
    return Task.objects.get(pk=task.pk)


def assert_intact() -> None:
    report = invariants.verify(wait=lambda seconds: True)
    assert report is not None
    assert report.is_clean, str(report)


def test_the_same_input_is_answered_at_once_with_the_stored_result(run_tasks) -> None:
    first = submit()
    run_tasks()
    counts.take()
    second = submit(metadata={"n": 2}, callback_url="https://example.com/done")
    assert (second.status, second.cached_from) == (Status.COMPLETED, first.pk)
    assert second.result == {"value": 1, "by": str(first.pk)}
    assert (second.metadata, second.attempt, second.progress) == ({"n": 2}, 0, 100)
    assert Effect.objects.count() == 1
    callback = Task.objects.get(kind="callback.deliver")
    assert callback.input["task_id"] == str(second.pk)
    taken = counts.take()
    assert taken[MOVED.name, ("default", "test.cached", "answer")] == [1]
    assert taken[ENDED.name, ("default", "test.cached", "COMPLETED")] == [1]


def test_twins_run_once_and_the_others_get_the_result(run_tasks) -> None:
    twins = [tasks.submit("test.cached", {"seconds": 0.3}) for _ in range(100)]
    run_tasks(processes=2, concurrency=4)
    assert Effect.objects.count() == 1
    stored = Task.objects.filter(kind="test.cached")
    assert set(stored.values_list("status", flat=True)) == {Status.COMPLETED}
    [ran] = stored.filter(cached_from=None)
    assert stored.filter(cached_from=ran.pk, result=ran.result).count() == len(twins) - 1
    assert not Permit.objects.filter(released_at=None).exists()


@pytest.mark.parametrize("rate", [None, 1])
def test_waiting_twins_end_with_the_result_and_need_no_start(rate: int | None) -> None:
    """Also where another limit holds them back as well."""
    if rate:
        make_limit(name="test.cached", scope=Scope.KIND, rate=rate, period=3600)
    worker = make_worker()
    first, other, *twins = [submit(value) for value in (1, 2, 1, 1)]
    late = submit(expires_in=0.01)
    called = submit(callback_url="https://example.com/done", metadata={"n": 3})
    [held] = claim(worker, limit=1)
    assert held.id == first.pk
    counts.take()
    finish(completed(held, {"by": "hand"}))
    wait_until(lambda: timezone.now() > late.expires_at)
    stage(limit=2)
    for twin in (*twins, called):
        ended = fresh(twin)
        assert (ended.status, ended.result, ended.cached_from) == (
            Status.COMPLETED, {"by": "hand"}, first.pk
        )  # fmt: skip
        assert (ended.attempt, ended.progress, ended.job_id) == (0, 100, None)
        assert (history_of(ended), ended.finished_at is not None) == ([], True)
        assert not Permit.objects.filter(task_id=twin.pk).exists()
    assert fresh(called).metadata == {"n": 3}
    assert [task.input["task_id"] for task in Task.objects.filter(kind="callback.deliver")] == [
        str(called.pk)
    ]
    assert {fresh(task).status for task in (late, other)} == {Status.PENDING}
    assert counts.take()[MOVED.name, ("default", "test.cached", "answer")] == [3]
    lifecycle.expire()
    assert_intact()


def test_a_twin_that_has_begun_before_takes_the_result_when_it_starts() -> None:
    worker = make_worker()
    first, second = submit(), submit()
    [held] = claim(worker)
    finish(raised(held, all_kinds()["test.cached"], Snooze(60)))
    [held] = claim(worker)
    assert held.id == second.pk
    due(first)
    stage(limit=10)
    finish(completed(held, {"by": "hand"}))
    stage(limit=10)
    assert fresh(first).status == Status.PENDING
    assert [again.id for again in claim(worker)] == [first.pk]
    assert_intact()


def test_owners_have_results_of_their_own_unless_the_kind_shares_them(run_tasks) -> None:
    ann, bob = (User.objects.create_user(name) for name in ("ann", "bob"))
    for kind in ("test.cached", "test.shared"):
        submit(kind=kind, owner=ann)
    run_tasks()
    assert submit(owner=bob).status == Status.PENDING
    assert submit().status == Status.PENDING
    assert submit(kind="test.shared", owner=bob).status == Status.COMPLETED
    assert submit(kind="test.shared").status == Status.COMPLETED


def test_a_failure_is_not_used_again(run_tasks) -> None:
    failing = [tasks.submit("test.cached", {"do": "fail"}) for _ in range(3)]
    run_tasks()
    assert {fresh(task).status for task in failing} == {Status.FAILED}
    assert Effect.objects.count() == 3
    again = tasks.submit("test.cached", {"do": "fail"})
    assert again.status == Status.PENDING


def test_a_twin_gets_the_result_of_a_later_attempt(run_tasks) -> None:
    twins = [tasks.submit("test.cached", {"do": "fail once"}) for _ in range(5)]
    run_tasks()
    assert {fresh(task).status for task in twins} == {Status.COMPLETED}
    # Each may have begun before there was a result, at most one at a time.
    assert Effect.objects.filter(attempt=2).count() == 1
    assert sum(fresh(task).cached_from is None for task in twins) == 1


def test_a_result_expires_and_being_used_does_not_renew_it(run_tasks) -> None:
    first = submit()
    run_tasks()
    second = submit()
    assert second.cached_from == first.pk
    Task.objects.filter(pk=first.pk).update(finished_at=timezone.now() - dt.timedelta(seconds=61))
    third = submit()
    assert (third.status, third.cached_from) == (Status.PENDING, None)
    run_tasks()
    assert fresh(third).cached_from is None
    assert Effect.objects.count() == 2


def test_a_task_for_later_gets_the_result_that_there_is_then(run_tasks) -> None:
    first = submit()
    run_tasks()
    later = submit(delay=0.5)
    assert (later.status, later.cached_from) == (Status.PENDING, None)
    run_tasks()
    assert fresh(later).cached_from == first.pk
    assert Effect.objects.count() == 1


def test_a_batch_is_answered_in_part(run_tasks) -> None:
    first = submit(1)
    run_tasks()
    batch = lifecycle.submit_many([prepare("test.cached", {"value": n}) for n in (1, 2, 1)])
    stored = {task.pk: task for task in batch.tasks.all()}
    assert [stored[id].cached_from for id in batch.submitted_ids] == [first.pk, None, first.pk]
    assert [stored[id].status for id in batch.submitted_ids] == [
        "COMPLETED",
        "PENDING",
        "COMPLETED",
    ]
    assert batch.total == 3
    assert len(jobs()) == 1


def test_a_unique_task_is_compared_before_a_result_is_used(run_tasks) -> None:
    submit()
    run_tasks()
    first = submit(2, unique={"key": "k"}, delay=3600)
    assert submit(1, unique={"key": "k"}).pk == first.pk
    with pytest.raises(UniqueConflict):
        submit(1, unique={"key": "k", "on_conflict": "refuse"})
    other = submit(1, unique={"key": "other"})
    assert other.status == Status.PENDING


def test_a_task_that_was_answered_at_once_breaks_no_invariant(run_tasks) -> None:
    submit()
    run_tasks()
    answered = submit()
    assert (answered.attempt, history_of(answered)) == (0, [])
    assert_intact()


def test_a_repeated_request_gets_its_own_task_again(run_tasks) -> None:
    submit()
    run_tasks()
    second = submit(idempotency_key="k")
    again = submit(idempotency_key="k")
    assert (again.pk, again.replayed) == (second.pk, True)
    assert Task.objects.filter(idempotency_key="k").count() == 1


def test_a_deleted_result_is_not_used() -> None:
    worker = make_worker()
    first = submit()
    [held] = claim(worker)
    finish(completed(held, {"by": "hand"}))
    lifecycle.delete(first)
    assert submit().status == Status.PENDING


def test_one_works_and_the_others_say_what_they_wait_for() -> None:
    worker = make_worker()
    first, second = submit(), submit()
    assert [held.id for held in claim(worker)] == [first.pk]
    assert claim(worker) == []
    waiting = waiting_reason(fresh(second))
    assert waiting is not None
    assert waiting.reason == "limit"
    assert "works on the same input" in waiting.detail


def test_a_twin_goes_on_when_the_one_that_works_is_cancelled_or_lost() -> None:
    worker = make_worker(silent_for=60)
    first, second = submit(), submit()
    claim(worker)
    lifecycle.rescue()
    lifecycle.cancel(fresh(first))
    assert [held.id for held in claim(make_worker("test:2"))] == [second.pk]


def test_many_submits_at_once_run_once(run_tasks) -> None:
    made = in_threads(20, submit)
    assert len({task.pk for task in made}) == 20
    run_tasks(processes=2, concurrency=4)
    assert Effect.objects.count() == 1


def test_cached_tasks_are_plain_ones_in_the_version_before() -> None:
    worker = make_worker()
    submit(), submit()
    [held] = claim(worker)
    try:
        call_command("migrate", "tasks", "0032", verbosity=0)
        [[due]] = execute(
            "SELECT count(*) FROM procrastinate_jobs"
            " WHERE scheduled_at <= clock_timestamp() AND tasks_line IS NULL"
        )
        assert due == 1
    finally:
        call_command("migrate", "tasks", verbosity=0)
    assert len(claim(worker)) == 1
    finish(completed(held, {}))
    assert Task.objects.filter(status=Status.COMPLETED).count() == 1
