"""Health checks: the table of what is looked at, one function for each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from django.db import connection

from tasks.postgres.migrations import MigrationsMissing, require_migrations
from tasks.stats.findings import Finding, failed, ok, unknown, warning
from tasks.stats.queues import WAITING_LIMIT, waiting
from tasks.stats.unserved import Unserved, unserved
from tasks.stats.violations import violated_invariants
from tasks.stats.worker_states import Liveness, worker_counts

# The disk is nearly full with so many bytes, or so small a share of it, left; the smaller counts.
_FEW_BYTES = 2**30
_SMALL_SHARE = 0.1
# With the least memory that a session can have, these rows go to a temporary file of 500 KiB. A row
# of a table may fit into one of its pages, and a temporary table would change the catalogs.
_LEAST_MEMORY = "SELECT set_config('work_mem', '64kB', true)"
_LARGE_ROWS = "SELECT count(*) FROM string_to_table(repeat(repeat('x', 999) || ',', 500), ',')"
_WRITABLE = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean"
# Of what a finding names.
_MOST_NAMES = 20


class Reading:
    """What several checks of one run, or the answer beside them, show; each is read once."""

    @cached_property
    def waiting(self) -> int:
        """Return the number of due tasks, at most WAITING_LIMIT."""
        return waiting()

    @cached_property
    def workers(self) -> dict[str, int]:
        """Return the number of workers by liveness."""
        return worker_counts()

    @cached_property
    def unserved(self) -> list[Unserved]:
        """Return the due work that no worker can take."""
        return unserved()


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check; a process is not ready while one of those fails that requests need."""

    name: str
    find: Callable[[Reading], Finding]
    needed_by_requests: bool = False


def database(reading: Reading) -> Finding:
    """Find out whether the database answers; one that does not raises an error."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ok("The database answers.")


def migrations(reading: Reading) -> Finding:
    """Find out whether the database has all migrations of this code."""
    try:
        require_migrations()
    except MigrationsMissing as missing:
        return failed(str(missing))
    return ok("All migrations are applied.")


def writes(reading: Reading) -> Finding:
    """Find out whether sessions of the database may write."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITABLE)
        is_standby, is_read_only = cursor.fetchone()
    if is_standby:
        return failed("The database is a standby and takes no writes.")
    if is_read_only:
        return failed("The database takes no writes: default_transaction_read_only is on.")
    return ok("The database takes writes.")


def disk(reading: Reading) -> Finding:
    """Find out whether the database has room on its disk; a full one raises an error.

    How much is left is known of the embedded database only, which is on this machine.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEAST_MEMORY)
        cursor.execute(_LARGE_ROWS)
    if settings.EMBEDDED is None:
        return ok("The database could write to its disk.")
    try:
        usage = shutil.disk_usage(settings.EMBEDDED.root)
    except OSError as error:
        return unknown(f"The disk of DATA_DIR cannot be looked at: {error.strerror}.")
    left = f"The disk of DATA_DIR has {usage.free / 2**30:,.1f} GiB left"
    if usage.free < min(_FEW_BYTES, usage.total * _SMALL_SHARE):
        return warning(f"{left}: it is nearly full.")
    return ok(f"{left}.")


def workers(reading: Reading) -> Finding:
    """Find out whether a worker is alive, whether or not there is work for it."""
    if alive := reading.workers[Liveness.ALIVE]:
        return ok(f"{_counted(alive, 'worker is', 'workers are')} alive.")
    return warning("No worker is alive: tasks are accepted and wait.")


def queues(reading: Reading) -> Finding:
    """Find out whether every queue with due tasks has a worker."""
    due = _counted(reading.waiting, "task is due", "tasks are due")
    names = sorted({work.queue for work in reading.unserved if not work.has_worker})
    if reading.waiting == WAITING_LIMIT:
        due = f"At least {due}"
    if not names:
        return ok(f"{due}; no queue lacks a worker.")
    return failed(
        f"{due}; {_counted(len(names), 'queue has', 'queues have')} had no worker for"
        f" {settings.HEALTH_TOLERANCE_SECONDS:g} s.",
        names=_first(names),
    )


def kinds(reading: Reading) -> Finding:
    """Find out whether the workers of each queue know the kinds of its due tasks."""
    names = [f"{work.kind} in {work.queue}" for work in reading.unserved if work.has_worker]
    if not names:
        return ok("Workers know the kinds of the due tasks.")
    return failed(
        f"Tasks of {_counted(len(names), 'kind', 'kinds')} are due that no worker of their queue"
        f" has known for {settings.HEALTH_TOLERANCE_SECONDS:g} s.",
        names=_first(names),
    )


def invariants(reading: Reading) -> Finding:
    """Find out whether the last check of the invariants found rows that contradict each other."""
    names = violated_invariants()
    if not names:
        return ok("No invariant was violated at the last check.")
    return failed(
        f"{_counted(len(names), 'invariant', 'invariants')} did not hold at the last check:"
        " run manage.py verify.",
        names=_first(names),
    )


# In the order in which they are run and shown.
CHECKS = (
    Check(name="database", find=database, needed_by_requests=True),
    Check(name="migrations", find=migrations, needed_by_requests=True),
    Check(name="writes", find=writes, needed_by_requests=True),
    Check(name="disk", find=disk),
    Check(name="workers", find=workers),
    Check(name="queues", find=queues),
    Check(name="kinds", find=kinds),
    Check(name="invariants", find=invariants),
)


def _counted(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _first(names: Collection[str]) -> tuple[str, ...]:
    return tuple(names)[:_MOST_NAMES]
