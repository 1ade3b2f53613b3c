"""Signed posts: one attempt to send a message to a receiver, and what its answer means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from tasks.callback_address import Receiver
from tasks.callbacks.host_limits import host_slot
from tasks.callbacks.post import Answer, NoAnswer, post
from tasks.callbacks.retry_schedule import MAX_ATTEMPTS, PAUSES, SCHEDULE
from tasks.callbacks.signing import signed_headers
from tasks.correlation import current_cause
from tasks.counts import CALLBACKS, counts
from tasks.kinds import Cancel, Context, Retry
from tasks.retry_after import retry_after_seconds
from tasks.tracing import outgoing_traceparent

GONE = 410
# Statuses with which a receiver may send Retry-After.
BUSY = (429, 503)


class Undelivered(Exception):
    """The receiver did not accept the message; it is sent again by the retry schedule."""


def send(
    receiver: Receiver, body: str, context: Context, *, secrets: Sequence[str], sender: str
) -> Answer:
    """Post a JSON message with the id of its task; raise what `host_slot` and `post` raise.

    Raises Undelivered when the receiver did not answer.
    """
    signed = signed_headers(
        message_id=str(context.task_id), body=body, secrets=secrets, now=timezone.now()
    )
    headers = {"Content-Type": "application/json", "User-Agent": sender, **signed}
    cause = current_cause()
    if cause.request_id:
        headers["X-Request-ID"] = cause.request_id
    if cause.trace_id:
        headers["traceparent"] = outgoing_traceparent(cause)
    try:
        with host_slot(receiver.authority, is_last_try=context.attempt >= MAX_ATTEMPTS):
            return post(receiver, body=body.encode(), headers=headers)
    except NoAnswer as error:
        counts.add(CALLBACKS, "no_answer")
        raise Undelivered(str(error)) from None


def judged(answer: Answer, attempt: int) -> dict[str, Any]:
    """Return the result if the message was accepted; raise otherwise."""
    is_accepted = 200 <= answer.status < 300
    counts.add(CALLBACKS, "accepted" if is_accepted else f"{answer.status // 100}xx")
    if is_accepted:
        return {"status_code": answer.status}
    reason = f"The receiver answered {answer.status}."
    if answer.status == GONE:
        raise Cancel(f"{reason} It accepts no more callbacks.")
    pause = retry_after_seconds(answer.retry_after or "", now=timezone.now())
    if answer.status in BUSY and pause is not None:
        raise Retry(max(min(pause, PAUSES[-1]), SCHEDULE.next_delay(attempt)), reason)
    raise Undelivered(reason)
