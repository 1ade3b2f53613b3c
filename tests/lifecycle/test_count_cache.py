"""Counts of a big table: kept for a moment, never shown when they are old."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.models import F

from tasks import lifecycle, stats
from tasks.models import CachedCount, Status
from tasks.stats import count_cache
from tasks.stats.last_hour import last_hour
from tests.factories import make_task
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def big(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have any table counted as a big one."""
    monkeypatch.setattr(count_cache, "SMALL", -1)


def pending() -> int:
    return stats.queues_status().states[Status.PENDING]


def age(seconds: float) -> None:
    """Let the last count be older."""
    CachedCount.objects.update(counted_at=F("counted_at") - dt.timedelta(seconds=seconds))


@contextmanager
def somebody_counting(name: str = "queues") -> Iterator[None]:
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [count_cache.LOCK, name])
        yield
        cursor.execute("ROLLBACK")
    other.close()


def test_a_small_table_is_counted_for_whoever_asks() -> None:
    for n in range(3):
        assert pending() == n
        make_task()
    assert not CachedCount.objects.exists()


def test_a_count_of_a_big_table_serves_for_seconds(big: None) -> None:
    make_task()
    told = stats.queues_status()
    make_task()
    assert stats.queues_status() == told
    assert stats.queues_status(exact=True).states[Status.PENDING] == 2
    assert CachedCount.objects.get(pk="queues").counted_at == told.now


def test_an_old_count_is_shown_once_more_while_it_is_made_anew(big: None) -> None:
    make_task()
    assert pending() == 1
    make_task()
    age(count_cache.FRESH_SECONDS + 1)
    assert pending() == 1
    wait_until(lambda: pending() == 2, what="a new count")


def test_a_count_that_took_long_is_good_for_longer(big: None) -> None:
    assert pending() == 0
    make_task()
    CachedCount.objects.update(seconds=count_cache.LONGEST_SECONDS)
    age(count_cache.LONGEST_SECONDS + 1)
    assert pending() == 0


def test_a_count_that_nobody_asked_for_in_a_minute_is_not_shown(big: None) -> None:
    assert pending() == 0
    make_task()
    age(count_cache.LONGEST_SECONDS + 1)
    assert pending() == 1


def test_whoever_comes_while_somebody_counts_sees_the_last_count(big: None) -> None:
    assert pending() == 0
    make_task()
    age(count_cache.LONGEST_SECONDS + 1)
    with somebody_counting():
        assert pending() == 0
    assert pending() == 1


def test_where_there_is_no_count_yet_nobody_waits_for_another(big: None) -> None:
    make_task()
    with somebody_counting():
        assert pending() == 1
    assert not CachedCount.objects.exists()


def test_a_switch_is_seen_at_once_however_old_the_counts(big: None) -> None:
    assert not stats.queues_status().by_queue["default"].paused
    lifecycle.pause_queue("default")
    assert stats.queues_status().by_queue["default"].paused


def test_the_last_hour_keeps_what_it_was_counted_for(big: None) -> None:
    make_task(Status.FAILED)
    told = last_hour()
    make_task(Status.FAILED)
    assert last_hour() == told
    assert sum(minute.failed for minute in told.minutes) == told.worst[0].count == 1


def test_a_reset_forgets_the_counts(big: None) -> None:
    make_task()
    assert pending() == 1
    lifecycle.reset()
    assert pending() == 0
