"""Counts of a table that may be big: kept for a moment, and made anew beside the requests.

A small table is counted for whoever asks. Of a big one everybody is shown the last count, with its
age; whoever finds it too old has it made anew in a thread, and waits only where there is none of
the last minute. Of all processes one counts at a time.
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

from tasks.models import Census, Task

log = logging.getLogger(__name__)

# Bytes of the tasks' table that are counted in some ten milliseconds.
SMALL = 16 * 1024 * 1024
# A count is good for so long, and for longer where counting would take more than this share.
FRESH_SECONDS = 2.0
SHARE = 0.1
# Nobody has asked for long: better to wait than to see this.
LONGEST_SECONDS = 60.0
LOCK = 7_305_802

# One at a time in this process, too.
_counting = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Count:
    """What was counted, and when, by the database's clock."""

    found: Any
    at: dt.datetime


Counter = Callable[[dt.datetime], Any]


def take(name: str, counter: Counter) -> Count:
    """Return the count of this moment, or, where the table is big, one of the last minute."""
    size, now = _size_and_time()
    if size <= SMALL:
        return Count(found=counter(now), at=now)
    last = Census.objects.filter(pk=name).first()
    # A clock that was set back makes no count younger.
    age = abs((now - last.counted_at).total_seconds()) if last else 0.0
    good = max(FRESH_SECONDS, last.seconds / SHARE) if last else 0.0
    if last is None or age > max(LONGEST_SECONDS, good):
        last = _recount(name, counter, known=last) or last
    elif age > good and _counting.acquire(blocking=False):
        thread = threading.Thread(
            target=_recount_aside, args=(name, counter, last), name="census", daemon=True
        )
        thread.start()
    return Count(found=last.found, at=last.counted_at) if last else count(counter)


def count(counter: Counter) -> Count:
    """Return the count of this moment, however long it takes."""
    _, now = _size_and_time()
    return Count(found=counter(now), at=now)


def _recount_aside(name: str, counter: Counter, known: Census) -> None:
    try:
        _recount(name, counter, known=known)
    except Error as error:
        log.warning("counting failed", extra={"count": name, "error": type(error).__name__})
    finally:
        connection.close()
        _counting.release()


def _recount(name: str, counter: Counter, *, known: Census | None) -> Census | None:
    """Count and keep it, unless somebody has meanwhile; None while somebody is about it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [LOCK, name])
            ((alone,),) = cursor.fetchall()
        if not alone:
            return None
        newest = Census.objects.filter(pk=name).first()
        if newest and (known is None or newest.counted_at > known.counted_at):
            return newest
        _, now = _size_and_time()
        began = time.monotonic()
        found = counter(now)
        made = Census(name=name, found=found, counted_at=now, seconds=time.monotonic() - began)
        Census.objects.bulk_create(
            [made],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["found", "counted_at", "seconds"],
        )
    return made


def _size_and_time() -> tuple[int, dt.datetime]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_relation_size(%s::regclass), statement_timestamp()", [Task._meta.db_table]
        )
        ((size, now),) = cursor.fetchall()
    return size, now
