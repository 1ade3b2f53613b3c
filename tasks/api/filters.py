"""Filters of lists."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters.fields import IsoDateTimeField
from django_filters.filterset import FilterSet
from rest_framework.exceptions import ValidationError

from tasks import rfc3339
from tasks.api.pagination import PAGING
from tasks.api.query_values import query_values
from tasks.models import Lane, Status, Task
from tasks.models.task import TaskQuerySet

Rows = TypeVar("Rows", bound=QuerySet[Any])


class MomentField(IsoDateTimeField):
    """A moment by the same rules as in request bodies; without a time zone it is in UTC."""

    def to_python(self, value: Any) -> dt.datetime | None:
        """Return the moment in UTC; raise ValidationError."""
        if value in self.empty_values:
            return None
        try:
            return rfc3339.parse(str(value).strip(), default_zone=dt.UTC)
        except rfc3339.InvalidDateTime as error:
            raise forms.ValidationError(str(error)) from None


def moments(column: str, lookup: str) -> django_filters.Filter:
    """Return a filter that compares a column with a moment."""
    moment = django_filters.IsoDateTimeFilter(
        field_name=column, lookup_expr=lookup, help_text="A time without a zone is in UTC."
    )
    moment.field_class = MomentField
    return moment


class StrictFilterSet(FilterSet):
    """Filters that refuse unknown, repeated and empty ones, which would select too much."""

    base_filters: ClassVar[dict[str, django_filters.Filter]]

    @classmethod
    def apply_query(cls, query: QueryDict, rows: Rows) -> Rows:
        """Return the rows that match a query; raise an error naming each invalid parameter."""
        return cls.apply(query_values(query, names={*cls.base_filters, *PAGING}), rows)

    @classmethod
    def apply(cls, values: Mapping[str, Any], rows: Rows) -> Rows:
        """Return the matching rows; raise ValidationError naming each invalid value.

        Empty values are ignored: the caller has refused them.
        """
        filters = cls(data=values, queryset=rows)
        if errors := filters.errors:
            raise ValidationError(errors)
        filtered: Rows = filters.qs
        return filtered


class TaskFilters(StrictFilterSet):
    """The filters of the task list."""

    status = django_filters.ChoiceFilter(choices=Status.choices)
    kind = django_filters.CharFilter(max_length=128)
    queue = django_filters.CharFilter(max_length=128)
    lane = django_filters.ChoiceFilter(choices=Lane.choices, method="in_lane")
    batch = django_filters.UUIDFilter()
    request_id = django_filters.CharFilter(max_length=128)
    created_after = moments("created_at", "gte")
    created_before = moments("created_at", "lt")

    class Meta:
        model = Task
        fields: list[str] = []

    def in_lane(self, tasks: TaskQuerySet, name: str, lane: str) -> TaskQuerySet:
        """Return the tasks of a lane."""
        return tasks.in_lane(lane)


class FailureFilters(StrictFilterSet):
    """The filters of the dead-letter queue."""

    kind = django_filters.CharFilter(max_length=128)
    queue = django_filters.CharFilter(max_length=128)
    error_type = django_filters.CharFilter(field_name="error__type", max_length=200)
    batch = django_filters.UUIDFilter()
    failed_after = moments("finished_at", "gte")
    failed_before = moments("finished_at", "lt")

    class Meta:
        model = Task
        fields: list[str] = []
