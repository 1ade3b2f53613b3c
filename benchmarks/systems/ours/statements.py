"""Claim and finish statements alone, on one connection."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import django
import orjson
import psycopg
from psycopg.types.json import set_json_loads

from benchmarks.work import sum_numbers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from tasks import sql  # noqa: E402 needs Django set up
from tasks.lifecycle.ending import Claim, completed, parameters  # noqa: E402
from tasks.worker.session import worker_parameters  # noqa: E402

WORKER = {
    "name": "statements",
    "host": "",
    "pid": os.getpid(),
    "queues": [],
    "kinds": ["benchmark.sum"],
    "concurrency": 1,
}


def main() -> None:
    """Wait for the gate, work until no task waits, print how many were done and when."""
    batch, gate = int(sys.argv[1]), int(sys.argv[2])
    with psycopg.connect(**worker_parameters("statements"), autocommit=True) as connection:
        set_json_loads(orjson.loads, connection)
        worker = connection.execute(sql.REGISTER, WORKER).fetchone()
        assert worker is not None
        params = {
            "worker": worker[0],
            "queues": None,
            "limit": batch,
            "retry_share": 0,
            "low_share": 0,
            "task_names": ["task:benchmark.sum"],
        }
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (gate,))
        done = 0
        while count := _round(connection, params):
            done += count
        sys.stdout.write(json.dumps({"tasks": done, "ended": time.time()}) + "\n")


def _round(connection: psycopg.Connection[Any], params: dict[str, Any]) -> int:
    """Claim a batch and finish it; return its size."""
    rows = connection.execute(sql.CLAIM, params, prepare=True).fetchall()
    claims = [Claim(*row) for row in rows]
    if not claims:
        return 0
    endings = [completed(claim, sum_numbers(claim.input, 0.0)) for claim in claims]
    connection.execute(sql.FINISH, parameters(endings, worker="statements"), prepare=True)
    return len(claims)


if __name__ == "__main__":
    main()
