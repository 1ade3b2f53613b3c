from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from tasks import kinds, lifecycle
from tasks.kinds import Cancel, FatalError
from tasks.lifecycle.ending import raised
from tasks.models import Status, Task
from tasks.models.task import TaskQuerySet
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute, jobs
from tests.workers import database_url

pytestmark = pytest.mark.django_db

Verb = Callable[[Sequence[uuid.UUID]], int]

both_verbs = pytest.mark.parametrize("verb", [lifecycle.retry_many, lifecycle.delete_many])


def failures() -> TaskQuerySet:
    return Task.objects.filter(status=Status.FAILED)


def make_failures(count: int) -> list[Task]:
    """Write failed tasks; the first was submitted first and failed last."""
    now = timezone.now()
    return [
        make_task(Status.FAILED, finished_at=now - dt.timedelta(seconds=seconds))
        for seconds in range(count)
    ]


class Chunks:
    """A verb that records the size of each chunk."""

    def __init__(self, verb: Verb) -> None:
        self.sizes: list[int] = []
        self._verb = verb

    def __call__(self, ids: Sequence[uuid.UUID]) -> int:
        self.sizes.append(len(ids))
        return self._verb(ids)


@both_verbs
def test_matching_tasks_are_moved_in_chunks(monkeypatch, verb):
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 2)
    make_failures(5)
    chunks = Chunks(verb)
    assert lifecycle.move_matching(failures(), chunks) == (5, False)
    assert chunks.sizes == [2, 2, 1]
    assert not failures().exists()


@both_verbs
def test_the_oldest_failures_are_moved_first_and_no_more_than_the_limit(monkeypatch, verb):
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 2)
    newest, second, *_ = make_failures(5)
    chunks = Chunks(verb)
    assert lifecycle.move_matching(failures(), chunks, limit=3) == (3, True)
    assert chunks.sizes == [2, 1]
    assert set(failures()) == {newest, second}
    assert lifecycle.move_matching(failures(), verb, limit=2) == (2, False)
    assert lifecycle.move_matching(failures(), verb, limit=2) == (0, False)


def test_tasks_that_do_not_match_are_left():
    make_task(Status.FAILED)
    other = make_task(Status.FAILED, kind="test.sum")
    matching = failures().filter(kind="test.script")
    assert lifecycle.move_matching(matching, lifecycle.retry_many) == (1, False)
    assert failures().get() == other


def test_tasks_that_have_not_ended_are_left():
    for status in Status:
        make_task(status)
    assert lifecycle.move_matching(Task.objects.all(), lifecycle.delete_many) == (3, False)
    left = Task.objects.values_list("status", flat=True)
    assert sorted(left) == [Status.PENDING, Status.PROCESSING]


@pytest.mark.parametrize(
    ("status", "error"),
    [(Status.FAILED, FatalError("again")), (Status.CANCELLED, Cancel("again"))],
)
@pytest.mark.parametrize("limit", [3, 100])
def test_a_task_that_ends_again_after_the_start_is_left(monkeypatch, status, error, limit):
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 1)
    worker = make_worker()
    waiting = {make_task(status).pk for _ in range(3)}

    def retry_and_end_again(ids: Sequence[uuid.UUID]) -> int:
        waiting.difference_update(ids)
        retried = lifecycle.retry_many(ids)
        assert retried == len(ids)
        endings = [raised(held, kinds.get(held.kind), error) for held in claim(worker)]
        assert finish(*endings) == retried
        assert matching.filter(attempt=2).count() == 3 - len(waiting)
        return retried

    matching = Task.objects.filter(status=status)
    assert lifecycle.move_matching(matching, retry_and_end_again, limit=limit) == (3, False)
    assert list(matching.values_list("attempt", flat=True)) == [2, 2, 2]


def test_a_process_whose_clock_is_behind_moves_all_that_match(monkeypatch):
    make_failures(2)
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() - dt.timedelta(hours=1))
    assert lifecycle.move_matching(failures(), lifecycle.retry_many) == (2, False)


@pytest.mark.django_db(transaction=True)
@both_verbs
def test_tasks_that_another_transaction_holds_are_left_and_not_waited_for(monkeypatch, verb):
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 1)
    held, *_ = make_failures(3)
    with psycopg.connect(database_url()) as holder:
        holder.execute("SELECT FROM tasks_task WHERE id = %s FOR UPDATE", [held.id])
        with transaction.atomic():
            execute("SET LOCAL lock_timeout = '5s'")
            assert lifecycle.move_matching(failures(), verb) == (2, False)
    assert failures().get() == held


@pytest.mark.django_db(transaction=True)
@both_verbs
def test_two_callers_that_move_the_same_tasks_at_once_move_each_task_once(monkeypatch, verb):
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 2)
    make_failures(20)
    both_hold_a_chunk = Barrier(2, timeout=30)

    def move() -> int:
        chunks = Chunks(verb)

        def meet_then_move(ids: Sequence[uuid.UUID]) -> int:
            if not chunks.sizes:
                both_hold_a_chunk.wait()
            return chunks(ids)

        try:
            return lifecycle.move_matching(failures(), meet_then_move)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(move) for _ in range(2)]
        counts = [future.result(30) for future in futures]
    assert sum(counts) == 20
    assert min(counts) >= 2
    assert not failures().exists()
    assert {job.task_id for job in jobs()} == {str(task.pk) for task in Task.objects.all()}
    assert len(jobs()) == Task.objects.count()
