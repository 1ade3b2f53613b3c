"""Rivals: every verb that writes tasks, each in its own session, on the same rows at once."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString, Self

import psycopg
from django.db import connection

from tasks import lifecycle, sql
from tasks.lifecycle.ending import Claim, completed, interrupted, parameters
from tasks.lifecycle.preparation import prepare
from tasks.postgres.planner import PLANNER
from tasks.postgres.requirements import as_options
from tests.factories import make_worker
from tests.faults.harness.invariants import UNPAIRED

LEASE = 15.0
KIND = "test.script"
# The claim number of the tasks' first claim; later claims have higher ones.
FIRST = 1

Ids = Sequence[uuid.UUID]
_OF_A_WORKER = (sql.CLAIM, sql.STAGE, sql.FINISH)


class Rivals:
    """Runs rounds: tasks of a worker with an ended lease, and nine verbs that compete for them."""

    def __init__(self, url: str, dice: random.Random) -> None:
        self._url = url
        self._dice = dice
        self._sessions = threading.local()
        self._opened: list[psycopg.Connection[Any]] = []
        self._rivals: list[Callable[[Ids, dict[uuid.UUID, int]], int]] = [
            self._finish, self._release, self._cancel, self._cancel, self._rescue,
            self._retry, self._delete, self._claim, self._reconcile,
        ]  # fmt: skip
        self._pool = ThreadPoolExecutor(len(self._rivals))
        self._start = threading.Barrier(len(self._rivals))
        self.deadlocks: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.won = 0
        # Jobs without their task, and waiting tasks without their job, after a round.
        self.unpaired = 0

    def __enter__(self) -> Self:
        self._living = make_worker("living")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for session in self._opened:
            session.close()

    def round(self, *, rows: int) -> None:
        """Create running tasks and start every verb on them at once."""
        with connection.cursor() as cursor:
            for table in ("procrastinate_jobs", "tasks_attempt", "tasks_task"):
                cursor.execute(f"DELETE FROM {table}")
            lifecycle.submit_many([prepare(KIND) for _ in range(rows)])
            # A rescue ends its lease, and it claims no more.
            dead = make_worker("dead", silent_for=60)
            cursor.execute(sql.CLAIM, self._claim_params(dead))
            jobs = {row[0]: row[1] for row in cursor.fetchall()}
        futures = [
            self._pool.submit(self._go, rival, self._dice.sample(list(jobs), rows), jobs)
            for rival in self._rivals
        ]
        self.won += sum(future.result(60) for future in futures)
        with connection.cursor() as cursor:
            cursor.execute(UNPAIRED)
            self.unpaired += cursor.fetchone()[0]

    def _go(
        self,
        rival: Callable[[Ids, dict[uuid.UUID, int]], int],
        ids: Ids,
        jobs: dict[uuid.UUID, int],
    ) -> int:
        self._start.wait(30)
        try:
            return rival(ids, jobs)
        except psycopg.errors.DeadlockDetected:
            self.deadlocks[rival.__name__.strip("_")] += 1
        except psycopg.Error as error:
            name = error.diag.constraint_name or type(error).__name__
            self.errors[f"{rival.__name__.strip('_')}: {name}"] += 1
        return 0

    def _finish(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        endings = [completed(_claim(id, jobs[id]), {}) for id in ids]
        return self._run(sql.FINISH, parameters(endings, worker="dead"))

    def _release(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        endings = [interrupted(_claim(id, jobs[id])) for id in ids]
        return self._run(sql.FINISH, parameters(endings, worker="dead"))

    def _cancel(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        return self._drop(sql.CANCEL, ids)

    def _rescue(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        return self._run(
            sql.RESCUE,
            {
                "lease": LEASE,
                "missed_renewal": [],
                "clock_is_steady": True,
                "max_losses": 10,
                "limit": 1_000,
            },
        )

    def _retry(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        return self._run(sql.RETRY, {"ids": ids})

    def _delete(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        # Only half of them: the other verbs cannot compete for deleted tasks.
        return self._drop(sql.DELETE, ids[: len(ids) // 2])

    def _claim(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        self._run(sql.STAGE, {"limit": 1_000, "answered": True})
        return self._run(sql.CLAIM, self._claim_params(self._living))

    def _reconcile(self, ids: Ids, jobs: dict[uuid.UUID, int]) -> int:
        return self._run(sql.RECONCILE, {"limit": 1_000})

    def _claim_params(self, worker: int) -> dict[str, Any]:
        names = [f"task:{KIND}"]
        limits = {"limit": 5, "retry_share": 2, "low_share": 1}
        return {"worker": worker, "queues": None, "task_names": names, **limits}

    def _drop(self, statement: LiteralString, ids: Ids) -> int:
        """Cancel or delete tasks, and discard the jobs that this left, as their verbs do."""
        rows = self._rows(statement, {"ids": ids})
        if left := [row[5] for row in rows if row[5]]:
            self._rows(sql.DISCARD, {"jobs": left})
        return len(rows)

    def _run(self, statement: LiteralString, params: dict[str, Any]) -> int:
        return len(self._rows(statement, params))

    def _rows(self, statement: LiteralString, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        # The worker's statements run in sessions with its settings, those of the verbs without.
        options = as_options(PLANNER) if statement in _OF_A_WORKER else ""
        sessions = self._sessions.__dict__
        if options not in sessions:
            sessions[options] = psycopg.connect(self._url, autocommit=True, options=options)
            self._opened.append(sessions[options])
        cursor = sessions[options].execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def in_words(counts: Counter[str]) -> str:
    """Return the counts as text, or "0"."""
    return ", ".join(f"{times} × {what}" for what, times in sorted(counts.items())) or "0"


def _claim(task_id: uuid.UUID, job_id: int) -> Claim:
    return Claim(
        id=task_id, job_id=job_id, kind=KIND, queue="default", owner_id=None, input={},
        attempt=1, max_attempts=4, claim_number=FIRST,
    )  # fmt: skip
