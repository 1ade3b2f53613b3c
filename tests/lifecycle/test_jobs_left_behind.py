"""Jobs that another transaction locks while their task is cancelled or deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, transaction

from tasks import lifecycle, sql
from tasks.models import Status, Task
from tests.factories import make_task, make_worker
from tests.queue_rows import execute, jobs
from tests.waiting import wait_until
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)

Verb = Callable[[Sequence[uuid.UUID]], int]

# True while a verb that has committed waits for locked jobs.
DISCARDING = (
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock' AND query LIKE '-- discard:%'"
)
both_verbs = pytest.mark.parametrize("verb", [lifecycle.cancel_many, lifecycle.delete_many])


def _drop_beside(holder: psycopg.Connection, verb: Verb, ids: list[uuid.UUID]) -> int:
    """Apply a verb to tasks whose jobs are held until it has committed; return its count."""

    def drop() -> int:
        try:
            return verb(ids)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(drop)
        try:
            wait_until(lambda: execute(DISCARDING) == [(True,)], what="the verb waits for the jobs")
        finally:
            holder.commit()
        return dropping.result(10)


@both_verbs
def test_a_claim_that_locked_more_jobs_than_it_took_leaves_none_without_a_task(verb):
    for number in range(20):
        make_task(attempt=number % 2)
    params = {"worker": make_worker(), "queues": None, "limit": 5, "retry_share": 2, "low_share": 0}
    with psycopg.connect(database_url()) as holder:
        rows = holder.execute(sql.CLAIM, {**params, "task_names": ["task:test.script"]})
        claimed = {row[0] for row in rows}
        others = set(Task.objects.values_list("id", flat=True)) - claimed
        assert _drop_beside(holder, verb, list(others)) == 15
    assert jobs() == []
    running = Task.objects.filter(status=Status.PROCESSING)
    assert set(running.values_list("id", flat=True)) == claimed
    assert len(claimed) == 5


@both_verbs
def test_a_job_that_is_being_staged_is_deleted_with_its_task(verb):
    task = make_task()
    execute("UPDATE procrastinate_jobs SET scheduled_at = now()")
    with psycopg.connect(database_url()) as holder:
        holder.execute(sql.STAGE, {"limit": 10, "answered": True})
        assert _drop_beside(holder, verb, [task.id]) == 1
    assert jobs() == []


@both_verbs
def test_a_verb_that_is_rolled_back_leaves_the_locked_job(verb):
    task = make_task()
    with psycopg.connect(database_url()) as holder:
        holder.execute("SELECT FROM procrastinate_jobs FOR UPDATE")
        with transaction.atomic():
            assert verb([task.id]) == 1
            transaction.set_rollback(True)
    assert Task.objects.get().status == Status.PENDING
    assert [job.id for job in jobs()] == [task.job_id]


def test_a_job_that_a_task_names_is_not_discarded():
    task = make_task()
    execute(sql.DISCARD, {"jobs": [task.job_id]})
    assert [job.id for job in jobs()] == [task.job_id]
