"""Takes tasks through their life with the two statements alone, on one connection."""

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
from tasks.lifecycle.ending import completed, parameters  # noqa: E402
from tasks.worker import claimer  # noqa: E402

SEAT = {"name": "statements", "host": "", "pid": os.getpid(), "queues": [], "concurrency": 1}


def main() -> None:
    """Wait at the gate, work until nothing waits, and print how much and until when."""
    batch, gate = int(sys.argv[1]), int(sys.argv[2])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        set_json_loads(orjson.loads, connection)
        seat = connection.execute(sql.REGISTER, SEAT).fetchone()
        assert seat is not None
        wanted = {
            "worker": seat[0],
            "queues": None,
            "limit": batch,
            "retry_share": 0,
            "low_share": 0,
            "task_names": ["task:benchmark.sum"],
        }
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (gate,))
        done = 0
        while count := _round(connection, wanted):
            done += count
        sys.stdout.write(json.dumps({"tasks": done, "ended": time.time()}) + "\n")


def _round(connection: psycopg.Connection[Any], wanted: dict[str, Any]) -> int:
    """Claim a batch and finish it; how many it were."""
    rows = connection.execute(sql.CLAIM, wanted, prepare=True).fetchall()
    claims = [claimer._claim(row) for row in rows]
    if not claims:
        return 0
    endings = [completed(claim, sum_numbers(claim.input, 0.0)) for claim in claims]
    connection.execute(sql.FINISH, parameters(endings, worker="statements"), prepare=True)
    return len(claims)


if __name__ == "__main__":
    main()
