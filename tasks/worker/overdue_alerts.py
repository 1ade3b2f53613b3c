"""Overdue alerts: messages about alerts that no worker has sent are sent by this process.

The very alert that no worker lives cannot be sent by one, and where every slot is busy a message
would wait for hours. So a process that evaluates rules also sends what has waited for OVERDUE
seconds, as a worker that nobody sees: it registers, claims one message, sends it, records the end
and deregisters, all in one transaction. Until it commits, workers skip the locked job; if this
process dies, nothing has happened and the message waits as before. It may then be sent twice, as
with a worker that dies after it has sent one.
"""

from __future__ import annotations

import datetime as dt
import os
import socket
from typing import Any

import psycopg
from django.db.models.functions import Greatest, Now

from tasks import kinds, lifecycle, sql
from tasks.alerts.notifications import MAIL, QUEUE, WEBHOOK
from tasks.kinds.context import Context
from tasks.lifecycle.ending import Claim, Ending, parameters
from tasks.lifecycle.preparation import prepare
from tasks.lifecycle.telemetry import emit_ended
from tasks.models import Status, Task
from tasks.models.task import IS_DUE
from tasks.worker.attempt import attempt
from tasks.worker.registration import insert_worker
from tasks.worker.session import Session

# Seconds that a due message is left to the workers.
OVERDUE = 10.0
# What one call sends at most: a round ends also while receivers are slow.
MOST_SENT = 20
MESSAGES = (MAIL, WEBHOOK)


def send_overdue(*, older_than: float = OVERDUE) -> int:
    """Send the messages that have been due for so many seconds; return how many were tried.

    Raises what the database raises.
    """
    if not is_overdue(older_than):
        return 0
    session = Session("alerts")
    try:
        lifecycle.stage(session.rows)
        tried = 0
        while tried < MOST_SENT and session.run(_send_next):
            tried += 1
        return tried
    finally:
        session.close()


def is_overdue(older_than: float) -> bool:
    """Return whether a message has been due for so many seconds."""
    waiting = Task.objects.filter(IS_DUE, status=Status.PENDING, queue=QUEUE)
    due = waiting.annotate(due_at=Greatest("created_at", "scheduled_at", "started_at"))
    return due.filter(due_at__lte=Now() - dt.timedelta(seconds=older_than)).exists()


def _send_next(connection: psycopg.Connection[Any]) -> bool:
    """Send one message; return whether there was one."""
    name = f"alerts {socket.gethostname()}:{os.getpid()}"
    ending: Ending | None = None
    with connection.transaction():
        # A server that ends idle transactions would end this one while the receiver is slow.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        worker_id = insert_worker(connection, name, queues=[QUEUE], kinds=MESSAGES, concurrency=1)
        claim = _claim(connection, worker_id)
        if claim:
            ending = _attempt(claim, name)
            connection.execute(sql.FINISH, parameters([ending], worker=name))
        connection.execute(sql.DEREGISTER, {"workers": [worker_id]})
    if ending:
        emit_ended([ending], worker=name)
    return claim is not None


def _claim(connection: psycopg.Connection[Any], worker_id: int) -> Claim | None:
    params = {
        "worker": worker_id,
        "queues": [QUEUE],
        "limit": 1,
        "retry_share": 0,
        "low_share": 0,
        "task_names": [f"task:{kind}" for kind in MESSAGES],
    }
    row = connection.execute(sql.CLAIM, params).fetchone()
    return Claim(*row) if row else None


def _attempt(claim: Claim, name: str) -> Ending:
    kind = kinds.get(claim.kind)
    context = Context(
        task_id=claim.id,
        attempt=claim.attempt,
        owner_id=claim.owner_id,
        soft_time_limit=kind.soft_time_limit,
        prepare=prepare,
    )
    # The handler uses Django's connection, outside of this transaction.
    ending = attempt(kind, claim, context, worker=name)
    # None is for a claim that was lost in a transactional handler.
    assert ending is not None
    return ending
