from __future__ import annotations

import asyncio
import os

import asyncpg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from benchmarks.systems import table


async def install() -> None:
    """Do what `pgq install` and `pgq autovac` do; durable is the default."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    await queries.optimize_autovacuum()
    await connection.close()


if __name__ == "__main__":
    table.main()
    asyncio.run(install())
