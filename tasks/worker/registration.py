"""Registration: the row of a worker process, from its start to its end."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

import psycopg

from tasks import kinds, sql
from tasks.worker.session import Session

log = logging.getLogger(__name__)


def worker_name() -> str:
    """Return the name of this process, unique while it lives."""
    return f"{socket.gethostname()}:{os.getpid()}"


def register(name: str, *, queues: Sequence[str], concurrency: int) -> int:
    """Register this process, waiting for the database; return the worker's id."""

    def insert(connection: psycopg.Connection[Any]) -> int:
        return insert_worker(
            connection, name, queues=queues, kinds=list(kinds.all_kinds()), concurrency=concurrency
        )

    session = Session("register")
    try:
        return session.run_until_answered(insert)
    finally:
        session.close()


def insert_worker(
    connection: psycopg.Connection[Any],
    name: str,
    *,
    queues: Sequence[str],
    kinds: Sequence[str],
    concurrency: int,
) -> int:
    """Insert the row of a worker of this process; return its id."""
    params = {
        "name": name,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "queues": list(queues),
        "kinds": list(kinds),
        "concurrency": concurrency,
    }
    row = connection.execute(sql.REGISTER, params).fetchone()
    assert row is not None
    return int(row[0])


def deregister(worker_id: int, name: str) -> None:
    """Remove the row; if the database cannot be reached, the lease expires instead."""
    session = Session("deregister")
    try:
        session.rows(sql.DEREGISTER, {"workers": [worker_id]})
    except psycopg.Error as error:
        log.warning(
            "could not deregister worker; its lease will expire",
            extra={"worker": name, "error": type(error).__name__},
        )
    session.close()
