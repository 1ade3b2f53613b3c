"""Newer requests that replace a waiting unique task, and put its start off."""

from __future__ import annotations

import datetime as dt

import pytest

import tasks
from tasks.errors import InvalidInput
from tasks.kinds import Unique
from tasks.models import Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim
from tests.lifecycle.unique_tasks import REPLACE, sql_now, submit
from tests.limits.rules import make_limit, permits, stage
from tests.queue_rows import execute, job_of, jobs

pytestmark = pytest.mark.django_db


def test_a_wait_shorter_than_the_delay_is_refused() -> None:
    unique = Unique(while_="waiting", on_conflict="replace", longest_wait=3)
    with pytest.raises(InvalidInput, match="shorter than the delay"):
        submit(unique=unique, delay=4)
    assert submit(unique=unique, delay=3).scheduled_at


def test_replace_gives_the_waiting_task_the_values_of_the_newest_request() -> None:
    first = submit(unique=Unique(key="k", while_="waiting", on_conflict="replace"), priority=1)
    second = submit(
        2,
        unique=Unique(key="k", while_="waiting", on_conflict="replace"),
        queue="other",
        priority=5,
        max_attempts=7,
        metadata={"n": 2},
        callback_url="https://example.com/done",
    )
    assert (second.id, second.unique_conflict) == (first.id, "replaced")
    stored = Task.objects.get()
    assert (stored.input, stored.metadata, stored.max_attempts) == ({"value": 2}, {"n": 2}, 7)
    assert (stored.queue, stored.priority) == ("other", 5)
    assert stored.callback_url == "https://example.com/done"
    assert stored.created_at == first.created_at
    [job] = jobs()
    assert (job.queue, job.priority, job.id) == ("other", 5, stored.job_id)


def test_debounce_puts_the_start_off_until_the_longest_wait() -> None:
    def request() -> dt.datetime:
        unique = Unique(while_="waiting", on_conflict="replace", longest_wait=60)
        submit(unique=unique, delay=50)
        due = Task.objects.get().scheduled_at
        assert due == job_of(Task.objects.get()).scheduled_at
        assert due is not None
        return due

    first = request()
    Task.objects.update(created_at=sql_now() - dt.timedelta(seconds=5))
    second = request()
    assert first < second
    created = sql_now() - dt.timedelta(seconds=20)
    Task.objects.update(created_at=created)
    assert request() == created + dt.timedelta(seconds=60)
    assert Task.objects.count() == 1


def test_a_request_without_a_delay_lets_a_debounced_task_start() -> None:
    submit(unique=REPLACE, delay=3600)
    submit(unique=REPLACE)
    [claimed] = claim(make_worker())
    assert claimed.input == {"value": 1}
    assert jobs() == []


def test_a_task_that_runs_is_not_replaced() -> None:
    first = submit(unique=REPLACE)
    claim(make_worker())
    second = submit(unique=REPLACE)
    assert (second.id != first.id, second.unique_conflict) == (True, "")


def test_the_job_of_a_replaced_task_that_a_worker_holds_starts_nothing() -> None:
    submit(unique=REPLACE)
    [old] = jobs()
    submit(unique=REPLACE, delay=3600)
    # As if the worker had locked it: the statement left it.
    execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, priority)"
        " SELECT %(id)s, queue_name, task_name, args, priority FROM procrastinate_jobs",
        {"id": old.id},
    )
    assert claim(make_worker()) == []
    [left] = jobs()
    assert left.id == Task.objects.get().job_id


def test_a_replaced_task_under_a_limit_stands_under_the_limits_of_its_new_values() -> None:
    make_limit(name="narrow", concurrent=1)
    worker = make_worker()
    tasks.submit("test.script", {}, queue="narrow")
    stage(limit=100)
    key = Unique(key="k", while_="waiting", on_conflict="replace")
    submit(unique=key, queue="narrow")
    stage(limit=100)
    assert len(claim(worker)) == 1
    submit(2, unique=key, queue="wide")
    [claimed] = claim(worker)
    assert (claimed.input, claimed.queue) == ({"value": 2}, "wide")
    submit(3, unique=key, queue="narrow")
    assert claim(worker) == []
    assert Task.objects.filter(limit_keys__isnull=False, status="PENDING").count() == 1


def test_an_idempotency_key_counts_before_the_unique_value() -> None:
    unique = Unique(key="k", while_="waiting", on_conflict="replace")
    first = submit(unique=unique, idempotency_key="r1", delay=3600)
    due = Task.objects.get().scheduled_at
    again = submit(unique=unique, idempotency_key="r1", delay=3600)
    assert (again.id, again.replayed, again.unique_conflict) == (first.id, True, "")
    assert Task.objects.get().scheduled_at == due


def test_a_replaced_task_that_could_start_gives_its_permit_back() -> None:
    make_limit(name="narrow", concurrent=1)
    key = Unique(key="k", while_="waiting", on_conflict="replace")
    submit(unique=key, queue="narrow")
    other = tasks.submit("test.script", {}, queue="narrow")
    stage(limit=100)
    assert len(permits()) == 1
    submit(2, unique=key, queue="wide")
    assert permits() == {}
    claimed = {held.id: held.queue for held in claim(make_worker())}
    assert sorted(claimed.values()) == ["narrow", "wide"]
    assert claimed[other.id] == "narrow"
