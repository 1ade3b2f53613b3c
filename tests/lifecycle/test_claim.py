from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

import tasks
from tasks import lifecycle, sql
from tasks.lifecycle.ending import Claim
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim
from tests.queue_rows import execute, jobs

pytestmark = pytest.mark.django_db


def test_a_claim_takes_the_task_deletes_its_job_and_counts_the_attempt():
    task = tasks.submit("test.script", {"value": 1})
    worker = make_worker()
    (claimed,) = claim(worker)
    stored = Task.objects.get()
    assert (stored.status, stored.attempt, stored.claim_number) == (Status.PROCESSING, 1, 1)
    assert stored.worker_id == worker
    assert stored.started_at is not None
    assert (claimed.id, claimed.input, claimed.claim_number) == (task.id, {"value": 1}, 1)
    assert jobs() == []


def test_the_highest_priority_comes_first_then_the_oldest():
    low, high, later = (tasks.submit("test.script", priority=priority) for priority in (0, 5, 0))
    assert [claimed.id for claimed in claim(make_worker())] == [high.id, low.id, later.id]


def test_a_task_that_is_not_due_is_not_claimed():
    tasks.submit("test.script", delay=3600)
    tasks.submit("test.script", scheduled_at=timezone.now() - dt.timedelta(seconds=1))
    assert len(claim(make_worker())) == 1


def test_only_tasks_of_the_given_queues_are_claimed():
    tasks.submit("test.script", queue="other")
    mine = tasks.submit("test.script", queue="mine")
    assert [claimed.id for claimed in claim(make_worker(), queues=["mine"])] == [mine.id]


def test_nothing_is_claimed_from_a_paused_queue_until_it_is_resumed():
    tasks.submit("test.script", queue="slow")
    lifecycle.pause_queue("slow")
    assert claim(make_worker()) == []
    lifecycle.resume_queue("slow")
    assert len(claim(make_worker())) == 1


def test_a_task_of_a_kind_unknown_to_the_worker_is_not_claimed():
    make_task(kind="of.the.next.release")
    assert claim(make_worker()) == []
    assert [job.status for job in jobs()] == ["todo"]


def test_a_duplicate_job_runs_nothing_and_is_deleted():
    task = tasks.submit("test.script")
    copy = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT queue_name, task_name, args FROM procrastinate_jobs LIMIT 1"
    )
    for _ in range(4):
        execute(copy)
    assert [claimed.id for claimed in claim(make_worker())] == [task.id]
    assert jobs() == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_claim_the_same_task():
    for _ in range(20):
        tasks.submit("test.script")
    first, second = make_worker(), make_worker()
    with transaction.atomic():
        mine = claim(first, limit=12)
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
            cursor.execute(
                "SELECT id FROM procrastinate_jobs WHERE status = 'todo' FOR UPDATE SKIP LOCKED"
            )
            assert len(cursor.fetchall()) == 8
        other.close()
    theirs = claim(second, limit=12)
    assert len(mine) == 12
    assert len(theirs) == 8
    assert not {claimed.id for claimed in mine} & {claimed.id for claimed in theirs}


def _submit_lanes(*, fresh: int, tried: int) -> None:
    for _ in range(fresh):
        make_task()
    for _ in range(tried):
        make_task(attempt=1)


def _lanes(claims: list[Claim]) -> tuple[int, int]:
    tried = sum(claimed.attempt > 1 for claimed in claims)
    return len(claims) - tried, tried


def test_the_retry_lane_gets_its_share_of_a_full_claim_and_no_more():
    _submit_lanes(fresh=20, tried=20)
    assert _lanes(claim(make_worker(), limit=10, retry_share=3)) == (7, 3)


def test_each_lane_gets_the_places_that_the_other_does_not_fill():
    _submit_lanes(fresh=2, tried=20)
    assert _lanes(claim(make_worker(), limit=10, retry_share=3)) == (2, 8)
    Task.objects.all().delete()
    execute("DELETE FROM procrastinate_jobs")
    _submit_lanes(fresh=20, tried=2)
    assert _lanes(claim(make_worker(), limit=10, retry_share=3)) == (8, 2)


def test_jobs_that_a_claim_locks_but_does_not_take_still_wait():
    _submit_lanes(fresh=20, tried=20)
    claim(make_worker(), limit=10, retry_share=3)
    assert [job.status for job in jobs()].count("todo") == 30


def _submit_for(owner: User | None, count: int, *, priority: int = 0, queue: str = "first") -> None:
    submissions = [
        prepare("test.script", {"value": n}, priority=priority, queue=queue) for n in range(count)
    ]
    lifecycle.submit_many(submissions, owner=owner)


def _owners(claims: list[Claim]) -> list[int | None]:
    return [claimed.owner_id for claimed in claims]


def test_an_owner_does_not_wait_behind_all_tasks_of_another(user, stranger):
    _submit_for(user, 50)
    worker = make_worker()
    assert _owners(claim(worker, limit=10)) == [user.pk] * 10
    _submit_for(stranger, 3)
    assert set(_owners(claim(worker, limit=2))) == {user.pk, stranger.pk}
    assert _owners(claim(worker, limit=4)).count(stranger.pk) == 2


def test_an_owner_without_waiting_tasks_gains_no_earlier_turns(user, stranger):
    _submit_for(user, 30)
    claim(make_worker(), limit=10)
    _submit_for(stranger, 30)
    assert 9 <= _owners(claim(make_worker(), limit=20)).count(stranger.pk) <= 11


def test_many_tasks_of_a_high_priority_leave_a_share_of_a_claim_to_lower_ones():
    _submit_for(None, 40, priority=10)
    _submit_for(None, 40, priority=0)
    _submit_for(None, 40, priority=5, queue="second")
    claims = claim(make_worker(), limit=20, low_share=4)
    by_priority = Counter(Task.objects.get(pk=claimed.id).priority for claimed in claims)
    assert by_priority == {10: 16, 5: 2, 0: 2}


def test_queues_of_the_same_priority_alternate():
    _submit_for(None, 20, queue="first")
    _submit_for(None, 20, queue="second")
    queues = Counter(
        Task.objects.get(pk=claimed.id).queue for claimed in claim(make_worker(), limit=10)
    )
    assert queues == {"first": 5, "second": 5}


def test_scheduled_tasks_take_their_turns_when_they_are_due(user, stranger):
    due = timezone.now() + dt.timedelta(hours=1)
    later = [prepare("test.script", {"value": 1}, scheduled_at=due) for _ in range(10)]
    lifecycle.submit_many(later, owner=user)
    _submit_for(stranger, 10, queue="default")
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at IS NOT NULL")
    execute(sql.STAGE, {"limit": 100, "answered": True})
    assert 4 <= _owners(claim(make_worker(), limit=10)).count(user.pk) <= 6


def test_a_look_tells_what_waits_from_what_is_due_and_not_staged():
    def look() -> tuple[bool, bool]:
        with connection.cursor() as cursor:
            cursor.execute(sql.IS_WAITING, {})
            is_waiting, is_due = cursor.fetchone()
            return is_waiting, is_due

    assert look() == (False, False)
    tasks.submit("test.script", delay=3_600)
    assert look() == (False, False)
    execute("UPDATE procrastinate_jobs SET scheduled_at = statement_timestamp()")
    assert look() == (False, True)
    execute(sql.STAGE, {"limit": 100, "answered": True})
    assert look() == (True, False)
    claim(make_worker())
    assert look() == (False, False)
