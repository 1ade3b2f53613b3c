"""Limits: `fill KEYS EACH` blocks tasks under full keys, `claims` and `measure TASKS` print times.

Both print what tasks of other keys and queues take, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import LiteralString

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.db import connection  # noqa: E402 needs Django set up
from django.db.models.functions import Now  # noqa: E402

from tasks import lifecycle, limits, sql  # noqa: E402
from tasks.kinds import Unique  # noqa: E402
from tasks.lifecycle import submit, submit_many  # noqa: E402
from tasks.lifecycle.preparation import prepare  # noqa: E402
from tasks.models import Limit, Task, Worker  # noqa: E402

KIND, SUM, CACHED = "benchmark.limited", "benchmark.sum", "benchmark.cached"
# Tasks of each input.
TWINS = 20
BATCH = 5_000
CLAIMS = 300
FREED = 200
SECONDS = 0.02
LIMIT_SECONDS = 300.0
HOLDER = "benchmark holder"
TIMES: LiteralString = """
    SELECT started_at, finished_at FROM tasks_task WHERE id = ANY (%(ids)s) ORDER BY started_at
"""
# Of the second of these queues more wait than may run at once.
ROOMY, NARROW = ("roomy", 1_000_000), ("narrow", 50)


def fill(keys: int, each: int) -> None:
    """Let one task of each key run, in the name of a worker that does not exist, and block others.

    The queues of the other figures get their limits too.
    """
    limits.create(scope="key", name=KIND, by="key", concurrent=1)
    for name, concurrent in (ROOMY, NARROW):
        limits.create(scope="queue", name=name, concurrent=concurrent)
    Limit.objects.update(applies_at=Now())
    _submit_all(keys)
    held = 0
    worker = _register()
    while held < keys:
        _stage()
        held += len(_claim(worker, limit=1_000))
    for _ in range(each):
        _submit_all(keys)
        _stage()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def claims() -> None:
    """Print how long claims of single tasks with a free key take, in milliseconds."""
    worker = _register()
    times = []
    for number in range(CLAIMS):
        submit(KIND, {"key": f"free {number}"})
        _stage()
        began = time.perf_counter()
        claimed = _claim(worker, limit=1)
        times.append(1_000 * (time.perf_counter() - began))
        assert len(claimed) == 1
    print(json.dumps(times))


def measure(tasks: int) -> None:
    """Print how soon workers use a freed permit, in milliseconds, and tasks a second by queue."""
    stopped = threading.Event()
    threading.Thread(target=_renew, args=(stopped,), daemon=True).start()
    _wait(lambda: Worker.objects.exclude(name=HOLDER).count() >= 2)
    free = [prepare(KIND, {"key": "free", "seconds": SECONDS}) for _ in range(FREED)]
    submit_many(free)
    _wait(lambda: not Task.objects.filter(pk__in=[new.id for new in free], finished_at=None))
    times = sql.run(TIMES, {"ids": [new.id for new in free]})
    gaps = [1_000 * (start - end).total_seconds() for (_, end), (start, _) in pairwise(times)]
    rates = {name: _rate(name, tasks) for name in ("free", ROOMY[0], NARROW[0])}
    rates["unique"] = _rate("unique", tasks, unique=Unique())
    rates["cached"] = _rate("cached", tasks, kind=CACHED, inputs=tasks // TWINS)
    stopped.set()
    print(json.dumps({"gaps": gaps, "rates": rates}))


def _rate(
    queue: str,
    tasks: int,
    *,
    kind: str = SUM,
    inputs: int | None = None,
    unique: Unique | None = None,
) -> float:
    """Return how many tasks of a queue end in a second, from the first submit.

    There are so many different `inputs`, by default one for each task.
    """
    began = time.monotonic()
    ids = []
    for start in range(0, tasks, BATCH):
        new = []
        for number in range(start, min(start + BATCH, tasks)):
            n = number % (inputs or tasks)
            new.append(prepare(kind, {"numbers": [n, n, n]}, queue=queue, unique=unique))
        submit_many(new)
        ids += [each.id for each in new]
    # By the primary key: a million others wait.
    left = Task.objects.filter(pk__gte=min(ids), pk__lte=max(ids), finished_at=None)
    _wait(lambda: not left.exists())
    return tasks / (time.monotonic() - began)


def _submit_all(keys: int) -> None:
    """Submit one task of each key."""
    for start in range(0, keys, BATCH):
        numbers = range(start, min(start + BATCH, keys))
        submit_many([prepare(KIND, {"key": f"key {n}"}) for n in numbers])


def _register() -> int:
    params = {
        "name": HOLDER, "host": "benchmark", "pid": 0, "queues": ["none"], "kinds": [KIND],
        "concurrency": 1,
    }  # fmt: skip
    return int(sql.run(sql.REGISTER, params)[0][0])


def _stage() -> None:
    while lifecycle.stage(partial(sql.run, prepared=True)).due_in == 0.0:
        pass


def _claim(worker: int, *, limit: int) -> list[sql.Row]:
    params = {
        "worker": worker, "queues": ["default"], "limit": limit, "retry_share": 0, "low_share": 0,
        "task_names": [f"task:{KIND}"],
    }  # fmt: skip
    return sql.run(sql.CLAIM, params, prepared=True)


def _renew(stopped: threading.Event) -> None:
    while not stopped.wait(1.0):
        Worker.objects.filter(name=HOLDER).update(heartbeat_at=Now())


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fill", keys, each]:
            fill(int(keys), int(each))
        case ["claims"]:
            claims()
        case ["measure", tasks]:
            measure(int(tasks))
