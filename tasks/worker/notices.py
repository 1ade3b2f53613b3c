"""Notifications: listens to the database. They only save time: polling finds everything too."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from tasks.models.task import parse_task_id
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
    """Call back for every notification, reconnecting when necessary; never returns."""
    session = Session("listen")

    async def receive(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f'LISTEN "{JOBS}"')
        await connection.execute(f'LISTEN "{CANCEL}"')
        # Jobs may have come while this worker did not listen.
        await on_job()
        async for notification in connection.notifies():
            if notification.channel == CANCEL:
                if task_id := parse_task_id(notification.payload):
                    on_cancel(task_id)
            else:
                await on_job()

    while True:
        await session.run_until_answered(receive)
