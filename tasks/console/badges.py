"""Badges for statuses, lanes and outcomes, one colour for each meaning."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.formatting import DASH
from tasks.models import Lane, Outcome, Status, Task
from tasks.stats import Liveness
from tasks.stats.findings import Level

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
    Level.WARNING: "warning",
    Level.FAILED: "bad",
    Level.UNKNOWN: "quiet",
    "open": "good",
    "paused": "warning",
    "applies": "good",
    "starting": "quiet",
    "enabled": "good",
    "disabled": "quiet",
    "circuit closed": "good",
    "circuit half-open": "warning",
    "circuit open": "bad",
    "batch open": "waiting",
    "batch running": "running",
    "batch completed": "good",
    "batch failed": "bad",
    "batch cancelled": "quiet",
    "alert open": "bad",
    "alert closed": "quiet",
    "muted": "warning",
}


def badge(value: str, text: str | None = None) -> SafeString:
    """Return a badge; its colour adds nothing to the meaning of its text."""
    label = text or value.replace("_", " ").capitalize()
    return format_html(
        '<span class="ops-badge ops-{}">{}</span>', COLOURS.get(value, "quiet"), label
    )


def status_badge(task: Task) -> SafeString:
    """Return the badge of a task's status, with the progress of a running task."""
    text = Status(task.status).label
    if task.status == Status.PROCESSING and task.cancel_requested:
        text = "Cancelling"
    elif task.status == Status.PROCESSING and task.progress:
        text = f"{text} {task.progress} %"
    return badge(task.status, text)


def lane_badge(task: Task) -> SafeString:
    """Return the badge of a task's lane; a dash if it is in none."""
    if task.lane is None:
        return SafeString(DASH)
    return badge(task.lane, task.lane.label)
