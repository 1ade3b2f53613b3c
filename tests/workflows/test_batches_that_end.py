"""Batches that end: what follows begins once, however their members end."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import invariants, kinds, lifecycle
from tasks.errors import BatchClosed
from tasks.kinds.exceptions import FatalError
from tasks.lifecycle import Following
from tasks.lifecycle.ending import completed, raised
from tasks.lifecycle.preparation import prepare, prepare_unchecked
from tasks.models import Batch, Status, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.threads import in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def members(count: int) -> list[Any]:
    return [prepare("test.script", {"do": "return"}) for _ in range(count)]


def then(input: dict[str, Any] | None = None) -> Any:
    return prepare_unchecked("test.sum", input or {"numbers": [1]})


def submit(count: int = 3, **following: Any) -> Batch:
    return lifecycle.submit_many(members(count), following=Following(**following))


def end(worker: int, *, failing: int = 0, limit: int = 100) -> int:
    """End all that can be claimed; the first ones fail. Returns how many."""
    held = claim(worker, limit=limit)
    kind = kinds.get("test.script")
    finish(
        *(
            raised(each, kind, FatalError("requested"))
            if number < failing
            else completed(each, {"number": number})
            for number, each in enumerate(held)
        )
    )
    return len(held)


def status(task_id: Any) -> str:
    return Task.objects.get(pk=task_id).status


def assert_intact() -> None:
    report = invariants.verify(wait=lambda seconds: False)
    assert report is not None
    assert report.is_clean, str(report)


def test_what_follows_starts_after_the_last_member() -> None:
    batch = submit(then=then(), callback_url="https://example.com/done")
    worker = make_worker()
    (first, *_) = held = claim(worker)
    assert len(held) == 3
    finish(completed(first, {}))
    assert lifecycle.settle() == 1
    assert claim(worker) == []
    assert_intact()
    finish(*(completed(each, {}) for each in held[1:]))
    assert lifecycle.settle() == 2
    batch.refresh_from_db()
    assert batch.outcome == Status.COMPLETED
    assert batch.ended_at is not None
    started = claim(worker)
    assert {each.kind for each in started} == {"test.sum", "callback.deliver"}
    (callback,) = [each for each in started if each.kind == "callback.deliver"]
    assert callback.input["batch_id"] == str(batch.pk)
    assert callback.input["status"] == "COMPLETED"
    assert_intact()


def test_a_batch_that_nothing_waits_for_notes_no_ends() -> None:
    submit()
    end(make_worker())
    assert lifecycle.settle() == 0


@pytest.mark.parametrize(
    ("on_failure", "outcome"), [("continue", "PENDING"), ("stop", "CANCELLED")]
)
def test_a_failure_stops_the_others_or_not(on_failure: str, outcome: str) -> None:
    batch = submit(then=then(), on_failure=on_failure)
    worker = make_worker()
    assert end(worker, failing=1, limit=1) == 1
    lifecycle.settle()
    left = Task.objects.filter(batch=batch, status=Status.PENDING).count()
    assert left == (2 if on_failure == "continue" else 0)
    end(worker)
    lifecycle.settle()
    batch.refresh_from_db()
    assert batch.outcome == Status.FAILED
    assert status(batch.then_id) == outcome
    assert_intact()


def test_a_retried_batch_ends_again_and_what_follows_starts_once() -> None:
    batch = submit(then=then(), on_failure="stop", callback_url="https://example.com/done")
    worker = make_worker()
    end(worker, failing=1, limit=1)
    lifecycle.settle()
    assert status(batch.then_id) == Status.CANCELLED
    assert lifecycle.retry_batch(batch) == 3
    end(worker)
    lifecycle.settle()
    batch.refresh_from_db()
    assert batch.outcome == Status.COMPLETED
    assert status(batch.then_id) == Status.PENDING
    callbacks = Task.objects.filter(kind="callback.deliver").order_by("id")
    assert [task.input["status"] for task in callbacks] == ["FAILED", "COMPLETED"]
    assert_intact()


def test_a_cancelled_batch_starts_nothing() -> None:
    batch = submit(then=then())
    assert lifecycle.cancel_batch(batch) == 3
    lifecycle.settle()
    batch.refresh_from_db()
    assert batch.outcome == Status.CANCELLED
    assert status(batch.then_id) == Status.CANCELLED
    assert claim(make_worker()) == []


@pytest.mark.parametrize("is_open", [True, False])
def test_nothing_follows_a_cancelled_batch_whose_members_complete(is_open: bool) -> None:
    batch = submit(2, then=then(), is_open=is_open)
    worker = make_worker()
    held = claim(worker)
    lifecycle.cancel_batch(batch)
    finish(*(completed(each, {}) for each in held))
    lifecycle.settle()
    batch.refresh_from_db()
    assert batch.outcome == Status.CANCELLED
    assert status(batch.then_id) == Status.CANCELLED


def test_one_cancelled_member_is_as_a_failed_one() -> None:
    batch = submit(2, then=then())
    lifecycle.cancel(Task.objects.filter(batch=batch).latest("id"))
    end(make_worker())
    lifecycle.settle()
    batch.refresh_from_db()
    assert batch.outcome == Status.CANCELLED
    assert status(batch.then_id) == Status.PENDING


def test_an_open_batch_that_has_stopped_takes_no_more() -> None:
    batch = submit(2, is_open=True, on_failure="stop")
    end(make_worker(), failing=1)
    with pytest.raises(BatchClosed):
        lifecycle.add_members(batch, members(1))


def test_deleted_members_are_not_waited_for() -> None:
    batch = submit(then=then())
    for task in Task.objects.filter(batch=batch):
        lifecycle.delete(task)
    lifecycle.settle()
    assert status(batch.then_id) == Status.PENDING
    assert len(claim(make_worker())) == 1


def test_an_open_batch_takes_members_and_ends_when_it_is_closed() -> None:
    batch = lifecycle.submit_many([], following=Following(is_open=True, then=then()))
    worker = make_worker()
    assert len(lifecycle.add_members(batch, members(2))) == 2
    end(worker)
    lifecycle.settle()
    lifecycle.add_members(batch, members(1))
    end(worker)
    lifecycle.settle()
    batch.refresh_from_db()
    assert (batch.total, batch.outcome) == (3, None)
    lifecycle.close_batch(batch)
    lifecycle.settle()
    batch.refresh_from_db()
    assert batch.outcome == Status.COMPLETED
    with pytest.raises(BatchClosed):
        lifecycle.add_members(batch, members(1))
    assert len(claim(worker)) == 1


def test_facts_about_the_batch_are_known_to_what_follows() -> None:
    facts = {"done": {"$batch": "completed"}, "failed": {"$batch": "failed"}}
    following = prepare_unchecked(
        "test.script", {"do": "return", **facts, "all": {"$batch": "results"}}
    )
    batch = submit(2, then=following)
    end(make_worker(), failing=1)
    lifecycle.settle()
    stored = Task.objects.get(pk=batch.then_id).input
    assert (stored["done"], stored["failed"]) == (1, 1)
    assert sorted(stored["all"], key=str) == [None, {"number": 1}]


def test_a_repeated_request_gets_the_same_batch() -> None:
    def send() -> Batch:
        return lifecycle.submit_many(
            members(2), idempotency_key="k", following=Following(then=then(), name="n")
        )

    first, second = send(), send()
    assert (second.pk, second.replayed) == (first.pk, True)
    assert Task.objects.count() == 3


def test_members_are_answered_at_once_with_stored_results(run_tasks) -> None:
    new = [prepare("test.cached", {"value": 1}) for _ in range(2)]
    lifecycle.submit_many(new[:1])
    run_tasks()
    batch = lifecycle.submit_many(new[1:], following=Following(then=then()))
    assert status(new[1].id) == Status.COMPLETED
    assert lifecycle.settle() == 1
    batch.refresh_from_db()
    assert batch.outcome == Status.COMPLETED
    assert status(batch.then_id) == Status.PENDING


def test_follow_ups_of_members_are_members(run_tasks) -> None:
    new = prepare("test.script", {"do": "follow up", "value": 1})
    batch = lifecycle.submit_many([new], following=Following(then=then()))
    run_tasks()
    batch.refresh_from_db()
    assert batch.outcome == Status.COMPLETED
    child = Task.objects.get(parent_id=new.id)
    assert child.batch_id == batch.pk
    last = Task.objects.get(pk=batch.then_id)
    assert last.started_at > child.finished_at


def test_members_that_end_at_the_same_moment_end_their_batch_once(run_tasks) -> None:
    batch = submit(200, then=then(), callback_url="https://example.com/done")
    run_tasks(processes=2, concurrency=8)
    batch.refresh_from_db()
    assert batch.outcome == Status.COMPLETED
    assert status(batch.then_id) == Status.COMPLETED
    assert Task.objects.filter(kind="callback.deliver").count() == 1
    assert_intact()


def test_several_processes_settle_each_end_once() -> None:
    batches = [submit(5, then=then()) for _ in range(10)]
    while end(make_worker()):
        pass
    settled = in_threads(4, lifecycle.settle)
    assert sum(settled) == 50
    then_ids = [batch.then_id for batch in batches]
    assert {status(id) for id in then_ids} == {Status.PENDING}
