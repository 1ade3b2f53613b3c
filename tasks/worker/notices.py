"""Listens for what the database announces; a hint only, polling finds everything too."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from tasks.worker.session import Session

log = logging.getLogger(__name__)

# procrastinate's own channel for "a job was inserted", and that of `cancel.sql`.
JOBS = "procrastinate_any_queue_v1"
CANCEL = "tasks_cancel"


async def listen(
    *,
    on_job: Callable[[], Awaitable[None]],
    on_cancel: Callable[[uuid.UUID], None],
) -> None:
    """Call back for every notice, for ever; a lost connection is opened again."""
    session = Session("listen")

    async def hear(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f'LISTEN "{JOBS}"')
        await connection.execute(f'LISTEN "{CANCEL}"')
        # What came while nobody listened.
        await on_job()
        async for notice in connection.notifies():
            if notice.channel == CANCEL:
                on_cancel(uuid.UUID(notice.payload))
            else:
                await on_job()

    while True:
        await session.run_until_answered(hear)
