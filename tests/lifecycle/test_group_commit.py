"""Group commit: concurrent submissions share a statement and nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

import tasks
from tasks.lifecycle.group_commit import GroupCommit
from tasks.models import Task
from tests.queue_rows import execute, jobs
from tests.waiting import wait_until
from tests.workers import database_url

in_the_database = pytest.mark.django_db(transaction=True)

MANY = 12


class Refusal(Exception):
    """Raised for a group with an odd number."""


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, Refusal)


class Slow:
    """Writes squares of numbers; each group waits for permission."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.may_write = threading.Semaphore(0)
        self.commit = GroupCommit(self.write, is_refusal=_is_refusal)

    def write(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.may_write.acquire()
        if any(item % 2 for item in items):
            raise Refusal(*items)
        return [item * item for item in items]


@contextmanager
def crowd(
    call: Callable[[int], int], slow: Slow, items: Sequence[int]
) -> Iterator[list[Future[int]]]:
    """Pass the first item, and the others while it is being written."""
    with ThreadPoolExecutor(len(items)) as threads:
        futures = [threads.submit(call, items[0])]
        try:
            wait_until(lambda: len(slow.groups) == 1, what="the first is written")
            futures += [threads.submit(call, item) for item in items[1:]]
            wait_until(lambda: len(slow.commit._waiting) == len(items) - 1, what="others wait")
        finally:
            slow.may_write.release(len(items) + 1)
        yield futures


def test_items_that_arrive_during_a_write_share_the_next_and_get_their_own_results() -> None:
    slow = Slow()
    with crowd(slow.commit, slow, [2, 4, 6, 8]) as futures:
        assert [future.result() for future in futures] == [4, 16, 36, 64]
    assert slow.groups == [[2], [4, 6, 8]]


def test_an_item_that_arrives_alone_is_written_at_once() -> None:
    slow = Slow()
    slow.may_write.release(2)
    assert [slow.commit(2), slow.commit(4)] == [4, 16]
    assert slow.groups == [[2], [4]]


def test_a_refused_group_is_written_one_by_one_and_only_the_refused_item_raises() -> None:
    slow = Slow()
    with crowd(slow.commit, slow, [2, 4, 5, 6]) as futures:
        wait(futures)
    assert [futures[n].result() for n in (0, 1, 3)] == [4, 16, 36]
    with pytest.raises(Refusal) as refused:
        futures[2].result()
    assert refused.value.args == (5,)


def test_an_outage_is_raised_and_the_next_write_succeeds() -> None:
    outage = OSError("gone")
    commit: GroupCommit[int, int] = GroupCommit(_failing(outage, times=1), is_refusal=_is_refusal)
    with pytest.raises(OSError, match="gone"):
        commit(2)
    assert commit(4) == 16


def _failing(error: Exception, *, times: int) -> Callable[[Sequence[int]], list[int]]:
    left = [error] * times

    def write(items: Sequence[int]) -> list[int]:
        if left:
            raise left.pop()
        return [item * item for item in items]

    return write


@contextmanager
def barred() -> Iterator[ThreadPoolExecutor]:
    """Hold back what the threads submit until the block is left."""
    with ThreadPoolExecutor(MANY) as threads, psycopg.connect(database_url()) as bar:
        bar.execute("LOCK TABLE tasks_task IN SHARE MODE")
        yield threads


def submitted(threads: ThreadPoolExecutor, owner: User | None) -> Future[Task]:
    def submit() -> Task:
        try:
            metadata = {"in": threading.current_thread().name}
            return tasks.submit("test.script", {"value": 1}, owner=owner, metadata=metadata)
        finally:
            connection.close()

    return threads.submit(submit)


def wait_for_a_statement() -> None:
    """Wait until one of the threads is held back."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO tasks_task%%'"
    )
    wait_until(lambda: execute(waiting) == [(1,)], what="a statement waits")


@in_the_database
def test_concurrent_submissions_have_a_task_each_with_its_job_and_its_owner() -> None:
    owners = [None, *(User.objects.create_user(f"owner {number}") for number in range(2))]
    with barred() as threads:
        futures = [submitted(threads, owners[n % 3]) for n in range(MANY)]
        wait_for_a_statement()
    made = {future.result().id: future.result() for future in futures}
    rows = {task.id: task for task in Task.objects.all()}
    assert made.keys() == rows.keys()
    assert len(made) == MANY
    for task_id, task in rows.items():
        assert (made[task_id].owner, made[task_id].job_id) == (task.owner, task.job_id)
    assert {task.job_id for task in rows.values()} == {job.id for job in jobs()}


@in_the_database
def test_each_submission_is_logged_by_the_thread_of_its_request(caplog) -> None:
    caplog.set_level(logging.INFO, logger="tasks.transition")
    with barred() as threads:
        futures = [submitted(threads, None) for _ in range(MANY)]
        wait_for_a_statement()
    logged = {record.__dict__["task_id"]: record.threadName for record in caplog.records}
    assert logged == {str(future.result().id): future.result().metadata["in"] for future in futures}


@in_the_database
def test_a_submission_of_a_deleted_owner_fails_alone() -> None:
    owner, gone = User.objects.create_user("one"), User(pk=999_999)
    with barred() as threads:
        first = submitted(threads, owner)
        wait_for_a_statement()
        others = [submitted(threads, gone if n == 3 else owner) for n in range(MANY - 1)]
    with pytest.raises(IntegrityError):
        others.pop(3).result()
    assert Task.objects.filter(owner=owner).count() == MANY - 1
    assert {future.result().id for future in [first, *others]} == set(
        Task.objects.values_list("pk", flat=True)
    )
