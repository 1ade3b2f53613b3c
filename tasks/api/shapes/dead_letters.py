"""Wire format of dead letters."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.api.filters import FailureFilters
from tasks.api.list_parameters import value_schema
from tasks.api.shapes.body import Body
from tasks.api.shapes.tasks import TaskSummarySerializer

_MORE = "Whether matching tasks are left; if so, repeat the request."


class FailureGroupSerializer(serializers.Serializer[Any]):
    """The number of failed tasks of one kind with one type of error."""

    kind = serializers.CharField()
    error_type = serializers.CharField(allow_null=True)
    count = serializers.IntegerField()


class DeadLettersSerializer(serializers.Serializer[Any]):
    """A page of failed tasks, newest failure first, and counts of all matching ones by group."""

    groups = FailureGroupSerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = TaskSummarySerializer(many=True)


class RetriedSerializer(serializers.Serializer[Any]):
    """The number of failed tasks that were queued again."""

    retried = serializers.IntegerField()
    more = serializers.BooleanField(help_text=_MORE)


class PurgedSerializer(serializers.Serializer[Any]):
    """The number of failed tasks that were deleted."""

    purged = serializers.IntegerField()
    more = serializers.BooleanField(help_text=_MORE)


PURGE_ALL = "all"


FAILURES = Body(
    {
        "type": "object",
        "properties": {
            **{name: value_schema(rule) for name, rule in FailureFilters.base_filters.items()},
            PURGE_ALL: {
                "type": "boolean",
                "const": True,
                "description": "Every failed task that you may change. Not together with a filter.",
            },
        },
        "minProperties": 1,
        "dependentSchemas": {PURGE_ALL: {"maxProperties": 1}},
        "additionalProperties": False,
    }
)
