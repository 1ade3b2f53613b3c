"""Cached counts of a table that may be big, refreshed in the background.

A small table is counted for each request. For a big table every request gets the last count, with
its age; a request that gets too old a count starts a refresh in a thread, and waits only when there
is no count of the last minute. A scrape waits only where there is none at all, or a count is short.
One process counts at a time.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import Error, connection, transaction

from tasks.models import CachedCount, Task

log = logging.getLogger(__name__)

# Up to this size in bytes the task table is counted in about ten milliseconds.
SMALL = 16 * 1024 * 1024
# A count is fresh for so long; longer if counting would take more than this share of the time.
FRESH_SECONDS = 2.0
SHARE = 0.1
# An older count is not shown: the request waits for a new one.
LONGEST_SECONDS = 60.0
# To a caller that does not wait, no older count is shown.
LONGEST_UNWAITED_SECONDS = 300.0
# Even that caller waits for a count that took no longer than this the last time.
SHORT_SECONDS = 1.0
LOCK = 7_305_802

# One refresh at a time in this process.
_counting = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Count:
    """A counted value and its time, by the database's clock."""

    value: Any
    at: dt.datetime


Counter = Callable[[dt.datetime], Any]


def cached(name: str, counter: Counter) -> Count:
    """Return the current count or, of a big table, one of the last minute."""
    size, now = _size_and_time()
    if size <= SMALL:
        return Count(value=counter(now), at=now)
    last = CachedCount.objects.filter(pk=name).first()
    if last and _may_be_shown(last, now, longest=LONGEST_SECONDS):
        _refresh(name, counter, last, now)
    else:
        last = _recount(name, counter, last=last) or last
    return Count(value=last.value, at=last.counted_at) if last else exact(counter)


def recent(name: str, counter: Counter) -> Count | None:
    """Return the current count or, of a big table, the last one; None rather than wait for long."""
    size, now = _size_and_time()
    if size <= SMALL:
        return Count(value=counter(now), at=now)
    last = CachedCount.objects.filter(pk=name).first()
    if last and _may_be_shown(last, now, longest=LONGEST_UNWAITED_SECONDS):
        _refresh(name, counter, last, now)
    elif last is None or last.seconds <= SHORT_SECONDS:
        # The table has just become big, or the last scrape was long ago. Without a count in this
        # scrape, Prometheus would end the alerts of the queues.
        last = _recount(name, counter, last=last)
    else:
        _refresh(name, counter, last, now)
        last = None
    return Count(value=last.value, at=last.counted_at) if last else None


def exact(counter: Counter) -> Count:
    """Return the current count, however long it takes."""
    _, now = _size_and_time()
    return Count(value=counter(now), at=now)


def _age(last: CachedCount, now: dt.datetime) -> float:
    # abs: a clock that was set back must not make an old count fresh.
    return abs((now - last.counted_at).total_seconds())


def _is_good_for(last: CachedCount) -> float:
    return max(FRESH_SECONDS, last.seconds / SHARE)


def _may_be_shown(last: CachedCount, now: dt.datetime, *, longest: float) -> bool:
    return _age(last, now) <= max(longest, _is_good_for(last))


def _refresh(name: str, counter: Counter, last: CachedCount | None, now: dt.datetime) -> None:
    """Start a count in a thread, unless the last one is fresh or another is being made."""
    if last and _age(last, now) <= _is_good_for(last):
        return
    if _counting.acquire(blocking=False):
        thread = threading.Thread(
            target=_recount_in_thread, args=(name, counter, last), name="recount", daemon=True
        )
        thread.start()


def _recount_in_thread(name: str, counter: Counter, last: CachedCount | None) -> None:
    try:
        _recount(name, counter, last=last)
    except Error as error:
        log.warning(
            "could not refresh a cached count; the old one is shown",
            extra={"count": name, "error": type(error).__name__},
        )
    finally:
        connection.close()
        _counting.release()


def _recount(name: str, counter: Counter, *, last: CachedCount | None) -> CachedCount | None:
    """Count and store, unless another process just did; return None while another counts."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [LOCK, name])
            ((has_lock,),) = cursor.fetchall()
        if not has_lock:
            return None
        newest = CachedCount.objects.filter(pk=name).first()
        if newest and (last is None or newest.counted_at > last.counted_at):
            return newest
        _, now = _size_and_time()
        began = time.monotonic()
        value = counter(now)
        count = CachedCount(
            name=name, value=value, counted_at=now, seconds=time.monotonic() - began
        )
        CachedCount.objects.bulk_create(
            [count],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["value", "counted_at", "seconds"],
        )
    return count


def _size_and_time() -> tuple[int, dt.datetime]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_relation_size(%s::regclass), statement_timestamp()", [Task._meta.db_table]
        )
        ((size, now),) = cursor.fetchall()
    return size, now
