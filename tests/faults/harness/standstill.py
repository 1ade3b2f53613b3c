"""Standstill: workers stopped by a lock at one point of their work, and killed there."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from tests.faults.harness.processes import Workers, send
from tests.faults.harness.system import System
from tests.waiting import wait_until

BLOCKED = """
    SELECT pid FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND application_name = %(session)s
"""


@contextmanager
def rows_locked(
    system: System, ids: Sequence[uuid.UUID]
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Lock the rows of these tasks, so that every writer of them waits."""
    with psycopg.connect(system.server.url) as session:
        session.execute("SELECT FROM tasks_task WHERE id = ANY (%s) FOR UPDATE", [list(ids)])
        yield session


def wait_until_blocked(system: System, session: str, count: int) -> list[int]:
    """Wait until `count` sessions of that name wait for a lock; return their backends."""

    def blocked() -> list[int]:
        backends = [pid for (pid,) in system.queries.rows(BLOCKED, {"session": session})]
        return backends if len(backends) >= count else []

    return wait_until(blocked, within=60, what=f"{count} × {session} blocked")


def cut_off(system: System, backends: list[int]) -> None:
    """End the sessions of killed workers, as the database does once it notices."""
    system.queries.rows(
        "SELECT pg_terminate_backend(pid) FROM unnest(%(pids)s::int[]) AS pid", {"pids": backends}
    )
    wait_until(
        lambda: (
            not system.queries.value(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (%(pids)s)",
                {"pids": backends},
            )
        ),
        what="sessions gone",
    )


def kill_all(workers: Workers) -> None:
    """Freeze the supervisor, which would replace its processes, and kill all of them."""
    os.kill(workers.pid, signal.SIGSTOP)
    for pid in workers.descendants():
        send(pid, signal.SIGKILL)
    send(workers.pid, signal.SIGKILL)
    workers.wait()
