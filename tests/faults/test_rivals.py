"""R28, small: verbs that compete for the same rows neither fail nor deadlock."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection

from tasks import lifecycle, sql
from tasks.lifecycle.ending import Claim, interrupted, parameters
from tasks.models import Status, Task
from tests.factories import make_worker
from tests.faults.harness.rivals import Rivals
from tests.queue_rows import execute, jobs
from tests.waiting import wait_until
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'cancel:'"
)


def test_a_cancellation_that_waited_for_an_interruption_cancels_the_task():
    task = lifecycle.submit("test.script")
    worker = make_worker()
    params = {"worker": worker, "queues": None, "limit": 1, "retry_share": 0, "low_share": 0}
    execute(sql.CLAIM, {**params, "task_names": ["task:test.script"]})
    task.refresh_from_db()
    claim = Claim(
        id=task.id, job_id=task.job_id or 0, kind=task.kind, queue=task.queue, owner_id=None,
        input={}, attempt=1, max_attempts=4, claim_number=task.claim_number,
    )  # fmt: skip

    def cancel() -> int:
        try:
            return lifecycle.cancel_many([task.id])
        finally:
            connection.close()

    with psycopg.connect(database_url()) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute(sql.FINISH, parameters([interrupted(claim)], worker="test"))
        cancelling = pool.submit(cancel)
        wait_until(lambda: execute(WAITING) == [(1,)], what="the cancellation waits")
        holder.commit()
        assert cancelling.result(10) == 1
    assert Task.objects.get().status == Status.CANCELLED
    assert jobs() == []


def test_verbs_that_compete_for_the_same_rows_neither_fail_nor_deadlock():
    seed = random.randrange(2**32)
    with Rivals(database_url(), random.Random(seed)) as contest:
        for number in range(60):
            contest.round(rows=1 if number % 2 else 5)
    assert not contest.errors, f"seed {seed}"
    assert not contest.deadlocks, f"seed {seed}"
    assert not contest.unpaired, f"seed {seed}"
    assert contest.won
