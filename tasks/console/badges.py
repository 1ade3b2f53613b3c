"""Statuses, lanes and outcomes as labels, one colour for each meaning."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.console.formatting import NOTHING
from tasks.models import Lane, Outcome, Status, Task
from tasks.stats import Liveness

COLOURS = {
    Status.PENDING: "waiting",
    Status.PROCESSING: "running",
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "quiet",
    Lane.PRIMARY: "waiting",
    Lane.RETRY: "warning",
    Lane.SCHEDULED: "quiet",
    Lane.DLQ: "bad",
    Outcome.RUNNING: "running",
    Outcome.COMPLETED: "good",
    Outcome.FAILED: "bad",
    Outcome.TIMED_OUT: "bad",
    Outcome.LOST: "bad",
    Outcome.SNOOZED: "warning",
    Outcome.INTERRUPTED: "warning",
    Outcome.CANCELLED: "quiet",
    Liveness.ALIVE: "good",
    Liveness.DRAINING: "warning",
    Liveness.DEAD: "bad",
    "open": "good",
    "paused": "warning",
    "on": "good",
    "off": "quiet",
    "circuit closed": "good",
    "circuit half-open": "warning",
    "circuit open": "bad",
}


def badge(value: str, text: str | None = None) -> SafeString:
    """Return a label; its colour never says more than its text."""
    words = text or value.replace("_", " ").capitalize()
    return format_html(
        '<span class="ops-badge ops-{}">{}</span>', COLOURS.get(value, "quiet"), words
    )


def status_badge(task: Task) -> SafeString:
    """Label a task's status, with what is going on while it runs."""
    text = Status(task.status).label
    if task.status == Status.PROCESSING and task.cancel_requested:
        text = "Cancelling"
    elif task.status == Status.PROCESSING and task.progress:
        text = f"{text} {task.progress} %"
    return badge(task.status, text)


def lane_badge(task: Task) -> SafeString:
    """Label what a task waits for, if it does."""
    if task.lane is None:
        return SafeString(NOTHING)
    return badge(task.lane, "Dead letter" if task.lane == Lane.DLQ else task.lane.label)
