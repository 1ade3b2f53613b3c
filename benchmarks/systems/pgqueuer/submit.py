from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Sequence
from typing import Any

import asyncpg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from benchmarks.submitting import main
from benchmarks.work import Input

BATCH = 5_000
INSERT = "INSERT INTO task (id, input) VALUES ($1, $2)"

loop = asyncio.new_event_loop()
connection: Any = loop.run_until_complete(asyncpg.connect(os.environ["DATABASE_URL"]))
queries = Queries(AsyncpgDriver(connection))


async def submit(inputs: Sequence[Input]) -> list[str]:
    """Insert rows and jobs in one transaction; return the rows' ids."""
    rows = [(str(uuid.uuid4()), json.dumps(input.as_json())) for input in inputs]
    async with connection.transaction():
        await connection.executemany(INSERT, rows)
        await queries.enqueue(
            ["benchmark.sum"] * len(rows),
            [task_id.encode() for task_id, _ in rows],
            [0] * len(rows),
        )
    return [task_id for task_id, _ in rows]


def many(inputs: Sequence[Input]) -> None:
    """Submit in batches, each one transaction."""
    for start in range(0, len(inputs), BATCH):
        loop.run_until_complete(submit(inputs[start : start + BATCH]))


def one(input: Input) -> str:
    """Submit a single task."""
    return loop.run_until_complete(submit([input]))[0]


if __name__ == "__main__":
    main(many, one, table="task")
