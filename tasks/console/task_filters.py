"""Filters of the task list; none counts or scans a large table."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from tasks import kinds
from tasks.models import Lane, Queue
from tasks.models.task import TaskQuerySet, parse_task_id

Choices = list[tuple[str, str]]
NO_OWNER = "-"
UNTYPED = "-"
# A follow-up gets its ID when its parent requests it, and its row when the parent finishes.
ID_LEAD = dt.timedelta(days=1)
WINDOWS = {
    "15m": ("Last 15 minutes", dt.timedelta(minutes=15)),
    "1h": ("Last hour", dt.timedelta(hours=1)),
    "24h": ("Last 24 hours", dt.timedelta(days=1)),
    "7d": ("Last 7 days", dt.timedelta(days=7)),
}


def _id_at(moment: dt.datetime) -> uuid.UUID:
    """Return the lowest ID of a moment: version 7 UUIDs start with the time in milliseconds."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


def error_is(name: str | None) -> Q:
    """Return the condition that a task's error has this type; `-` for no type."""
    return Q(error__type__isnull=True) if name in (None, UNTYPED) else Q(error__type=name)


class LaneFilter(SimpleListFilter):
    title = "lane"
    parameter_name = "lane"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Offer the lanes."""
        return list(Lane.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks of the chosen lane."""
        lane = self.value()
        if lane is None:
            return queryset
        if lane not in Lane.values:
            raise IncorrectLookupParameters
        assert isinstance(queryset, TaskQuerySet)
        return queryset.in_lane(lane)


class KindFilter(DropdownFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Offer the registered kinds and the selected one, which may not be registered."""
        names = {*kinds.all_kinds(), *filter(None, [request.GET.get(self.parameter_name)])}
        return [(name, name) for name in sorted(names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks of the chosen kind."""
        return queryset.filter(kind=self.value()) if self.value() else queryset


class QueueFilter(DropdownFilter):
    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Offer the queues of the kinds, queues that have been paused, and the selected one."""
        names = {kind.queue for kind in kinds.all_kinds().values()}
        names.update(Queue.objects.values_list("name", flat=True))
        names.update(filter(None, [request.GET.get(self.parameter_name)]))
        return [(name, name) for name in sorted(names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks of the chosen queue."""
        return queryset.filter(queue=self.value()) if self.value() else queryset


class CreatedFilter(SimpleListFilter):
    title = "created"
    parameter_name = "created"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Offer a few periods that end now."""
        return [(key, label) for key, (label, _) in WINDOWS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks created within the period."""
        period = self.value()
        if period is None:
            return queryset
        if (window := WINDOWS.get(period)) is None:
            raise IncorrectLookupParameters
        since = timezone.now() - window[1]
        return queryset.filter(id__gte=_id_at(since - ID_LEAD), created_at__gte=since)


class OwnerFilter(TextFilter):
    title = "owner (- for none)"
    parameter_name = "owner"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks of the user with this name, or those without an owner."""
        match self.value():
            case None | "":
                return queryset
            case str() as name if name == NO_OWNER:
                return queryset.filter(owner=None)
            case name:
                # Filter by key, not by a join: an index serves the list of one owner.
                owner = User.objects.filter(username=name).first()
                return queryset.filter(owner=owner) if owner else queryset.none()


class BatchFilter(TextFilter):
    title = "batch"
    parameter_name = "batch"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks of one batch."""
        if not self.value():
            return queryset
        if (batch := parse_task_id(self.value())) is None:
            raise IncorrectLookupParameters
        return queryset.filter(batch=batch)


class ErrorFilter(TextFilter):
    title = "error type"
    parameter_name = "error"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the tasks with an error of this type."""
        if not self.value():
            return queryset
        return queryset.filter(error_is(self.value()))
