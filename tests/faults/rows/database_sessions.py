"""Database sessions: ended one by one, or all taken: R22, R23, R31."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import suppress

import psycopg
import requests
from django.db import connection

from tasks import lifecycle
from tests.faults.harness.callers import Callers, uncompleted
from tests.faults.harness.durations import percentile
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

POLL_LIMIT = 2.0
LISTEN_LIMIT = 5.0
RECOVERY_LIMIT = 10.0
# All sessions of clients but the harness's own.
SESSIONS = """
    SELECT pid, application_name = 'web' FROM pg_stat_activity
    WHERE datname = current_database() AND application_name <> 'faults'
        AND backend_type = 'client backend'
    ORDER BY pid
"""
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'worker listen'"


@row(
    "R22",
    title="random sessions of workers and API are ended, 5/s for 2 min",
    promise="retried internally",
    target="lost 0, doubled 0, 5xx ≤ ended sessions of the API",
)
def ended_sessions(system: System, dice: Dice) -> Measured:
    """End one random session after another under load."""
    web = system.web(DATABASE_URL=f"{system.server.url}&application_name=web")
    workers = system.workers(processes=2, concurrency=4)
    registered_now = workers.registered()
    ended = of_web = 0
    with Callers(web.url, system.accepted) as callers:
        end = time.monotonic() + (40 if system.quick else 120)
        while time.monotonic() < end:
            time.sleep(0.2)
            if sessions := system.queries.rows(SESSIONS):
                pid, is_web = dice.choice(sessions)
                system.queries.rows("SELECT pg_terminate_backend(%(pid)s)", {"pid": pid})
                ended, of_web = ended + 1, of_web + is_web
    system.wait_until_ended(within=60)
    statuses = callers.statuses()
    refused = sum(count for status, count in statuses.items() if status >= 500 or not status)
    lost = uncompleted(system)
    replaced = len({*registered_now} - {*workers.registered()})
    return Measured(
        f"{ended} sessions ended, {of_web} of them the API's; of {sum(statuses.values()):,} "
        f"requests {refused} answered with 5xx; {len(system.accepted.ids()):,} accepted, lost "
        f"{lost}, doubled {system.doubled()}; {replaced} worker processes replaced",
        met=refused <= of_web and not lost,
    )


@row(
    "R23",
    title="only the listening sessions are ended",
    promise="polling continues, and workers listen again",
    target="p99 of the start ≤ poll + 1 s; listening again ≤ 5 s",
)
def ended_listeners(system: System, dice: Dice) -> Measured:
    """End the listeners before each of 60 submissions, and all the time during 40 more."""
    system.workers(processes=2)
    back = []
    wait_until(lambda: len(system.queries.rows(LISTENERS)) == 1, what="listening")
    for _ in range(60):
        _end_listeners(system)
        at = time.monotonic()
        system.accepted.add([lifecycle.submit("test.script").id])
        wait_until(lambda: len(system.queries.rows(LISTENERS)) == 1, what="listening again")
        back.append(time.monotonic() - at)
        time.sleep(dice.uniform(0, 0.3))
    stopped = threading.Event()
    ender = threading.Thread(target=_keep_ending_listeners, args=(system.server.url, stopped))
    ender.start()
    for _ in range(40):
        system.accepted.add([lifecycle.submit("test.script").id])
        time.sleep(dice.uniform(0.1, 0.5))
    stopped.set()
    ender.join()
    system.wait_until_ended(within=30)
    waits = system.queries.rows(
        "SELECT extract(epoch FROM started_at - created_at)::float FROM tasks_task ORDER BY 1"
    )
    p99 = percentile([seconds for (seconds,) in waits], 99)
    return Measured(
        f"start after {p99:.2f} s (p99 of {len(waits)}); listening again within {max(back):.2f} s",
        met=p99 <= POLL_LIMIT and max(back) <= LISTEN_LIMIT,
    )


def _end_listeners(system: System) -> None:
    system.queries.rows(f"SELECT pg_terminate_backend(pid) FROM ({LISTENERS}) AS listener")


def _keep_ending_listeners(url: str, stopped: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True, application_name="faults") as session:
        while not stopped.wait(0.02):
            session.execute(f"SELECT pg_terminate_backend(pid) FROM ({LISTENERS}) AS listener")


@row(
    "R31",
    title="all connections are taken, for 8 s and for 25 s",
    promise="readiness false, submissions refused, recovery",
    target="work continues ≤ 10 s after; lost 0",
)
def no_connection_left(system: System, dice: Dice) -> Measured:
    """Take every connection from web and workers, then release all of them."""
    web = system.web()
    system.workers(processes=2)
    results = []
    with Callers(web.url, system.accepted, count=2) as callers:
        for seconds in (8.0, 25.0):
            wait_until(lambda: callers.statuses()[202] > 50, what="load")
            with Hog(system) as hog:
                taken_at = time.monotonic() + 0.5
                time.sleep(seconds)
                ready = requests.get(f"{web.url}/health/ready", timeout=20).status_code
                while_taken = callers.statuses(since=taken_at)
                taken = len(hog.sessions)
            released_at = time.monotonic()
            connection.close()
            task_id = _accepted(web.url)
            system.accepted.add([task_id])
            wait_until(lambda id=task_id: system.task(id).is_terminal, within=60, what="ended")
            results.append((ready, while_taken, taken, time.monotonic() - released_at))
    system.wait_until_ended(within=60)
    lost = uncompleted(system)
    summary = "; ".join(
        f"{taken} taken: readiness {ready}, answers {dict(answers)}, "
        f"a new task completed {after:.1f} s after"
        for ready, answers, taken, after in results
    )
    return Measured(
        f"{summary}; lost {lost}",
        met=not lost
        and all(ready == 503 and after <= RECOVERY_LIMIT for ready, _, _, after in results)
        and not any(answers[202] for _, answers, _, _ in results),
    )


class Hog:
    """Takes every connection, including those of all other sessions."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._url = system.server.url
        self.sessions: list[psycopg.Connection[object]] = []

    def __enter__(self) -> Hog:
        self._take()
        # An ended session reconnects to its free place: repeat until all places are taken.
        wait_until(lambda: not self._end_others(), what="all connections taken")
        return self

    def __exit__(self, *_: object) -> None:
        for session in self.sessions:
            session.close()

    def _end_others(self) -> int:
        ended = self._system.queries.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name <> 'faults'"
            " AND backend_type = 'client backend'"
        )
        self._take()
        return len(ended)

    def _take(self) -> None:
        try:
            while True:
                self.sessions.append(psycopg.connect(self._url, application_name="faults"))
        except psycopg.OperationalError:
            return


def _accepted(url: str) -> uuid.UUID:
    """Submit a task until it is accepted; return its id."""

    def submit() -> str | None:
        with suppress(requests.RequestException):
            answer = requests.post(f"{url}/api/v1/tasks/", json={"kind": "test.script"}, timeout=20)
            if answer.status_code == 202:
                return str(answer.json()["task_id"])
        return None

    return uuid.UUID(wait_until(submit, within=60, what="accepted again"))
