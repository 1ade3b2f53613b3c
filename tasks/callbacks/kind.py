"""The engine's own kind `callback.deliver`: reports the end of a task to its `callback_url`."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from tasks.callback_address import Receiver, Refused
from tasks.callbacks.host_limits import HostBusy, HostDown, should_postpone
from tasks.callbacks.message import batch_message, message
from tasks.callbacks.postpone import postpone_callbacks
from tasks.callbacks.retry_schedule import SCHEDULE
from tasks.callbacks.signed_post import Undelivered, judged, send
from tasks.callbacks.signing import secrets_of
from tasks.counts import CALLBACKS, counts
from tasks.kinds import Cancel, Context, FatalError, Snooze, kind
from tasks.models import Batch, Task
from tasks.models.task import TERMINAL

KIND = "callback.deliver"
# How long callbacks to a receiver that is down are postponed; to a busy one, up to twice as long.
# Seconds.
PAUSE = 30.0

INPUT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "task_id": {"type": "string", "format": "uuid", "description": "The ended task to report."},
        "batch_id": {"type": "string", "format": "uuid", "description": "Or the ended batch."},
        "status": {"enum": [str(status) for status in TERMINAL]},
        "ended_at": {"type": "string", "format": "date-time"},
    },
    "oneOf": [{"required": ["task_id"]}, {"required": ["batch_id"]}],
    "additionalProperties": False,
}


@kind(
    KIND,
    input=INPUT,
    queue="callbacks",
    retry=SCHEDULE,
    # Most are quick: many to one receiver do not hold up the tasks behind them.
    soft_time_limit=25,
    time_limit=30,
)
def deliver(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Notify the callback URL of a task, or a batch, that it has ended."""
    subject = _subject(input, owner_id=context.owner_id)
    try:
        receiver = Receiver.of(subject.callback_url)
        body = _message(subject, input)
        answer = send(
            receiver,
            body,
            context,
            secrets=secrets_of(context.owner_id),
            sender="tasks-callbacks",
        )
    except Refused as refused:
        counts.add(CALLBACKS, "forbidden")
        raise FatalError(str(refused)) from None
    except HostBusy:
        counts.add(CALLBACKS, "host_busy")
        # Spread, so that the host's slots are never idle while callbacks wait.
        _postpone(subject, receiver, spread=PAUSE)
        wait = PAUSE * (1.0 + random.random())  # noqa: S311 spreads load, guards nothing
        raise Snooze(wait, "Waiting: other callbacks to the receiver are in progress.") from None
    except HostDown:
        counts.add(CALLBACKS, "host_down")
        # Together, so that the first to come back tries the receiver for all of them.
        _postpone(subject, receiver, include_earlier=True)
        raise Undelivered(
            "Not sent: the receiver has just failed to answer other callbacks."
        ) from None
    return judged(answer, context.attempt)


def _subject(input: dict[str, Any], *, owner_id: int | None) -> Task | Batch:
    """Return the task or batch of the same owner; raise Cancel if it is gone or has no URL."""
    model, name = (Batch, "batch") if "batch_id" in input else (Task, "task")
    rows = model.objects.filter(pk=input[f"{name}_id"], owner=owner_id).exclude(callback_url="")
    subject: Task | Batch | None = rows.first()
    if subject is None:
        raise Cancel(f"The {name} has been deleted or has no callback URL.")
    return subject


def _message(subject: Task | Batch, input: dict[str, Any]) -> str:
    if isinstance(subject, Batch):
        return batch_message(
            subject,
            outcome=input["status"],
            ended_at=input.get("ended_at") or _iso(subject.ended_at),
        )
    return message(
        subject,
        status=input.get("status", subject.status),
        ended_at=input.get("ended_at") or _iso(subject.finished_at),
    )


def _postpone(
    subject: Task | Batch, receiver: Receiver, *, spread: float = 0.0, include_earlier: bool = False
) -> None:
    """Postpone the other callbacks to the receiver, which would fail one by one."""
    owner_id, url = subject.owner_id, subject.callback_url
    if should_postpone(receiver.authority, owner_id=owner_id):
        postpone_callbacks(
            owner_id=owner_id,
            url=url,
            pause=PAUSE,
            spread=spread,
            include_earlier=include_earlier,
        )


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
