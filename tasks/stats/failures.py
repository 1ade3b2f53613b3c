"""Failure groups: failed tasks, counted by kind and error."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count
from django.db.models.fields.json import KT

from tasks.models.task import TaskQuerySet


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """How many tasks of a kind failed with one type of error."""

    kind: str
    error_type: str | None
    count: int


def failure_groups(failed: TaskQuerySet) -> list[FailureGroup]:
    """Count failed tasks by kind and type of error, most first."""
    rows = (
        failed.order_by()
        .annotate(error_type=KT("error__type"))
        .values_list("kind", "error_type")
        .annotate(n=Count("*"))
        .order_by("-n", "kind", "error_type")
    )
    return [FailureGroup(kind=kind, error_type=error, count=n) for kind, error, n in rows]
