"""Retention: for how long ended tasks are kept, unless their kind says otherwise."""

from __future__ import annotations

from django.conf import settings

from tasks.models.task import Status


def retention() -> tuple[tuple[tuple[Status, ...], int], ...]:
    """Return which statuses are kept for how many days after the end of a task.

    Those that are kept without limit are left out.
    """
    periods = (
        ((Status.COMPLETED, Status.CANCELLED), settings.RETENTION_COMPLETED_DAYS),
        ((Status.FAILED,), settings.RETENTION_FAILED_DAYS),
    )
    return tuple((statuses, days) for statuses, days in periods if days)
