"""Notifications of the database. They only save time: polling finds everything too."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import orjson
import psycopg

from tasks.models.task import parse_task_id

# procrastinate's own channel for "a job was inserted", and that of `cancel.sql`.
JOBS = "procrastinate_any_queue_v1"
CANCEL = "tasks_cancel"
SEND: LiteralString = "SELECT pg_notify(%(channel)s, %(payload)s)"


@dataclass(frozen=True)
class JobsInserted:
    """Jobs that may be claimed; `queues` is None where they are not named."""

    queues: frozenset[str] | None
    # Whether some of them are to be staged first.
    is_scheduled: bool

    def concerns(self, queues: Sequence[str] | None) -> bool:
        """Return whether a worker of these queues, None for all, may claim some of them."""
        if self.queues is None or queues is None:
            return self.queues is None or bool(self.queues)
        return not self.queues.isdisjoint(queues)


def listen(connection: psycopg.Connection[Any]) -> None:
    """Have the connection receive notifications."""
    connection.execute(f'LISTEN "{JOBS}"')
    connection.execute(f'LISTEN "{CANCEL}"')


def read(channel: str, payload: str) -> JobsInserted | uuid.UUID | None:
    """Return what a notification says: jobs, or the task to cancel; None for neither."""
    if channel == CANCEL:
        return parse_task_id(payload)
    try:
        document = orjson.loads(payload)
        queues = document.get("queues")
        is_scheduled = document.get("scheduled") is not False
    except (orjson.JSONDecodeError, AttributeError):
        queues, is_scheduled = None, True
    return JobsInserted(frozenset(queues) if isinstance(queues, list) else None, is_scheduled)
