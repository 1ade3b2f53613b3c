from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Sequence
from typing import Any

from oban import Oban
from psycopg_pool import AsyncConnectionPool

from benchmarks.submitting import main
from benchmarks.systems.oban import worker
from benchmarks.work import Input

BATCH = 1_000
# The decorator adds `new`, which its type does not show.
job_class: Any = worker.Sum


async def connect() -> tuple[Any, Any]:
    """Return a client and its pool of one connection."""
    pool = AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=1, open=False)
    await pool.open()
    return Oban(pool=pool), pool


loop = asyncio.new_event_loop()
client, pool = loop.run_until_complete(connect())


def many(inputs: Sequence[Input]) -> None:
    """Insert jobs in batches, each one statement."""
    for start in range(0, len(inputs), BATCH):
        jobs = [job_class.new(input.as_json()) for input in inputs[start : start + BATCH]]
        loop.run_until_complete(client.enqueue_many(jobs))


def one(input: Input) -> str:
    """Insert a single job."""
    job = loop.run_until_complete(client.enqueue(job_class.new(input.as_json())))
    return str(uuid.UUID(int=job.id))


if __name__ == "__main__":
    try:
        main(many, one, table="task")
    finally:
        loop.run_until_complete(pool.close())
