"""Cached counts of a big table: kept for seconds, never shown when they are old."""

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
    """Treat every table as a big one."""
    monkeypatch.setattr(count_cache, "SMALL", -1)


def pending() -> int:
    return stats.queues_status().states[Status.PENDING]


def age(seconds: float) -> None:
    """Make the last count older."""
    CachedCount.objects.update(counted_at=F("counted_at") - dt.timedelta(seconds=seconds))


@contextmanager
def another_process_counting(name: str = "queues") -> Iterator[None]:
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [count_cache.LOCK, name])
        yield
        cursor.execute("ROLLBACK")
    other.close()


def test_a_small_table_is_counted_for_each_request() -> None:
    for n in range(3):
        assert pending() == n
        make_task()
    assert not CachedCount.objects.exists()


def test_a_count_of_a_big_table_is_reused_for_several_seconds(big: None) -> None:
    make_task()
    shown = stats.queues_status()
    make_task()
    assert stats.queues_status() == shown
    assert stats.queues_status(exact=True).states[Status.PENDING] == 2
    assert CachedCount.objects.get(pk="queues").counted_at == shown.now


def test_an_old_count_is_shown_once_more_while_it_is_refreshed(big: None) -> None:
    make_task()
    assert pending() == 1
    make_task()
    age(count_cache.FRESH_SECONDS + 1)
    assert pending() == 1
    wait_until(lambda: pending() == 2, what="a new count")


def test_a_count_that_took_long_stays_fresh_for_longer(big: None) -> None:
    assert pending() == 0
    make_task()
    CachedCount.objects.update(seconds=count_cache.LONGEST_SECONDS)
    age(count_cache.LONGEST_SECONDS + 1)
    assert pending() == 0


def test_a_count_older_than_a_minute_is_not_shown(big: None) -> None:
    assert pending() == 0
    make_task()
    age(count_cache.LONGEST_SECONDS + 1)
    assert pending() == 1


def test_a_request_gets_the_last_count_while_another_process_counts(big: None) -> None:
    assert pending() == 0
    make_task()
    age(count_cache.LONGEST_SECONDS + 1)
    with another_process_counting():
        assert pending() == 0
    assert pending() == 1


def test_a_request_counts_for_itself_if_no_count_is_stored_yet(big: None) -> None:
    make_task()
    with another_process_counting():
        assert pending() == 1
    assert not CachedCount.objects.exists()


def test_a_paused_queue_is_shown_at_once_however_old_the_counts(big: None) -> None:
    assert not stats.queues_status().by_queue["default"].paused
    lifecycle.pause_queue("default")
    assert stats.queues_status().by_queue["default"].paused


def test_the_figures_of_the_last_hour_are_cached(big: None) -> None:
    make_task(Status.FAILED)
    shown = last_hour()
    make_task(Status.FAILED)
    assert last_hour() == shown
    assert sum(minute.failed for minute in shown.minutes) == shown.worst[0].count == 1


def test_a_reset_deletes_the_cached_counts(big: None) -> None:
    make_task()
    assert pending() == 1
    lifecycle.reset()
    assert pending() == 0
