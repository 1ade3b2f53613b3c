"""PgQueuer worker: batches of jobs, and two statements a task on a pool."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import Any

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job

from benchmarks.work import sum_numbers

BATCH = 100
POOL = 10
CLAIM = """
UPDATE task SET status = 'PROCESSING', attempt = attempt + 1, started_at = clock_timestamp()
WHERE id = $1 AND status IN ('PENDING', 'PROCESSING')
RETURNING attempt, input
"""
FINISH = """
UPDATE task SET status = 'COMPLETED', result = $1, finished_at = clock_timestamp()
WHERE id = $2 AND status = 'PROCESSING' AND attempt = $3
"""


async def use_json(connection: Any) -> None:
    """Make a pooled connection convert jsonb."""
    await connection.set_type_codec(
        "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
    )


async def work() -> None:
    """Run until SIGTERM; the queue has its own connection, as its documentation requires."""
    url = os.environ["DATABASE_URL"]
    pool = await asyncpg.create_pool(url, min_size=POOL, max_size=POOL, init=use_json)
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

    @queue.entrypoint("benchmark.sum")
    async def run_task(job: Job) -> None:
        began = time.time()
        assert job.payload is not None
        task_id = job.payload.decode()
        # No connection is held while the handler runs, because a handler may wait.
        claimed = await pool.fetchrow(CLAIM, task_id)
        if claimed is not None:
            result = sum_numbers(claimed["input"], began)
            await pool.execute(FINISH, result, task_id, claimed["attempt"])

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)
    await queue.run(batch_size=BATCH)
    await pool.close()


if __name__ == "__main__":
    uvloop.run(work())
