"""Rates: never more starts in a period than allowed, and none earlier than they may come."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

import tasks
from tasks import limits
from tasks.lifecycle.ending import completed, released
from tasks.models import Line, Permit, RateState
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import make_limit
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db


def _submit(count: int) -> None:
    for _ in range(count):
        tasks.submit("test.script")


def _time_passes(seconds: float) -> None:
    """Let everything that has happened have happened so much earlier."""
    for table, column in (
        ("tasks_ratestate", "next_at"), ("tasks_line", "look_at"), ("tasks_permit", "started_at")
    ):  # fmt: skip
        execute(f"UPDATE {table} SET {column} = {column} - %s * interval '1 second'", [seconds])


def _look_in() -> float:
    look_at = Line.objects.get().look_at
    assert look_at
    return (look_at - timezone.now()).total_seconds()


def test_starts_are_as_far_apart_as_the_rate_says():
    make_limit(rate=6, period=60, burst=1)
    _submit(3)
    worker = make_worker()
    assert len(claim(worker)) == 1
    assert claim(worker) == []
    assert _look_in() == pytest.approx(10, abs=1)
    _time_passes(9)
    assert claim(worker) == []
    _time_passes(1.1)
    assert len(claim(worker)) == 1
    assert claim(worker) == []


def test_a_burst_starts_together_and_lengthens_the_distances():
    make_limit(rate=6, period=60, burst=3)
    _submit(8)
    worker = make_worker()
    assert len(claim(worker)) == 3
    assert claim(worker) == []
    # Four may follow in the rest of the minute, and so never more than six in any.
    assert _look_in() == pytest.approx(15, abs=1)
    _time_passes(15.1)
    assert len(claim(worker)) == 1
    _time_passes(60)
    assert len(claim(worker)) == 3


def test_tasks_that_no_worker_took_do_not_start_together_later():
    make_limit(rate=60, period=60, burst=1)
    _submit(5)
    other = make_worker(queues=["other"])
    assert claim(other, queues=["other"]) == []
    _time_passes(300)
    assert claim(other, queues=["other"]) == []
    worker = make_worker()
    assert len(claim(worker)) == 1
    assert claim(worker) == []


def test_a_start_counts_although_the_task_has_ended():
    make_limit(rate=1, period=60, burst=1)
    _submit(2)
    worker = make_worker()
    (held,) = claim(worker)
    finish(completed(held, {}))
    assert claim(worker) == []
    assert RateState.objects.get().next_at > timezone.now() + dt.timedelta(seconds=50)
    assert Permit.objects.count() == 0


def test_a_released_task_has_used_its_start():
    make_limit(rate=1, period=60, burst=1)
    _submit(1)
    worker = make_worker()
    (held,) = claim(worker)
    finish(released(held))
    assert claim(worker) == []
    _time_passes(61)
    assert len(claim(worker)) == 1


def test_a_cancelled_task_that_did_not_start_used_no_start():
    make_limit(rate=1, period=60, burst=1)
    first = tasks.submit("test.script")
    _submit(1)
    other = make_worker(queues=["other"])
    claim(other, queues=["other"])
    tasks.lifecycle.cancel(first)
    assert len(claim(make_worker())) == 1


def test_both_numbers_of_a_limit_hold():
    make_limit(concurrent=2, rate=100, period=60, burst=100)
    _submit(4)
    worker = make_worker()
    held = claim(worker)
    assert len(held) == 2
    finish(completed(held[0], {}))
    assert len(claim(worker)) == 1


def test_a_higher_rate_starts_more_at_once_although_the_old_one_had_long_pauses():
    limit = make_limit(rate=1, period=3600, burst=1)
    _submit(30)
    worker = make_worker()
    assert len(claim(worker, limit=30)) == 1
    limits.change(limit, rate="20/s", burst=20)
    # One may have started in the present second already.
    assert len(claim(worker, limit=30)) == 19


def test_a_lower_rate_counts_what_has_just_started():
    limit = make_limit(rate=2, period=1, burst=1)
    _submit(3)
    worker = make_worker()
    assert len(claim(worker)) == 1
    limits.change(limit, rate="1/5s")
    assert claim(worker) == []
    assert _look_in() == pytest.approx(5, abs=1)


def test_a_larger_burst_lets_no_more_start_than_the_rate_allows():
    limit = make_limit(rate=10, period=3600, burst=5)
    _submit(40)
    worker = make_worker()
    assert len(claim(worker, limit=40)) == 5
    assert claim(worker, limit=40) == []
    limits.change(limit, burst=10)
    assert claim(worker, limit=40) == []
    # Twice the rate allows as many more in the same period.
    limits.change(limit, rate="20/h", burst=20)
    assert len(claim(worker, limit=40)) == 10


def test_a_key_that_rested_may_use_a_larger_burst_at_once():
    limit = make_limit(rate=10, period=60, burst=1)
    _submit(1)
    worker = make_worker()
    claim(worker)
    assert claim(worker) == []
    _time_passes(200)
    limits.change(limit, burst=4)
    _submit(10)
    assert len(claim(worker)) == 4
