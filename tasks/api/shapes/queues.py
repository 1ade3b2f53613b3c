"""Wire format of queues."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.api.shapes.body import Body
from tasks.models import Queue


class StatusCountsSerializer(serializers.Serializer[Any]):
    """The number of tasks in each status."""

    PENDING = serializers.IntegerField()
    PROCESSING = serializers.IntegerField()
    COMPLETED = serializers.IntegerField()
    FAILED = serializers.IntegerField()
    CANCELLED = serializers.IntegerField()


class LanesSerializer(serializers.Serializer[Any]):
    """The number of tasks in each lane."""

    primary = serializers.IntegerField(help_text="Due, not attempted yet.")
    retry = serializers.IntegerField(help_text="Due, attempted before.")
    scheduled = serializers.IntegerField(help_text="Not yet due.")
    dlq = serializers.IntegerField(help_text="Failed; retried only on request.")


class QueueLoadSerializer(serializers.Serializer[Any]):
    """The load of one queue."""

    pending = serializers.IntegerField(help_text="Including scheduled tasks.")
    processing = serializers.IntegerField()
    blocked = serializers.IntegerField(
        help_text="Tasks that wait for a limit, or for a task with the same input."
    )
    oldest_age_s = serializers.FloatField(
        allow_null=True,
        help_text="Seconds for which the oldest due task has been waiting that may run.",
    )
    paused = serializers.BooleanField()


class QueuesStatusSerializer(serializers.Serializer[Any]):
    """Queue depths and task counts by status, over all owners."""

    queues = LanesSerializer()
    states = StatusCountsSerializer()
    retry_ratio = serializers.FloatField(
        help_text="Share of claims for the retry lane (tasks that were attempted before);"
        " at most 0.3 while tasks also wait in the primary lane."
    )
    by_queue = serializers.DictField(child=QueueLoadSerializer())
    timestamp = serializers.DateTimeField(
        help_text="The time of the count; with many tasks it can be up to a minute old."
    )


class QueueSerializer(serializers.Serializer[Any]):
    """A queue, and whether it is paused."""

    name = serializers.CharField()
    paused = serializers.BooleanField()
    paused_at = serializers.DateTimeField(allow_null=True)
    paused_by = serializers.CharField(help_text="Empty for an anonymous caller.")
    paused_reason = serializers.CharField()


PAUSE = Body(
    {
        "type": "object",
        "properties": {
            "reason": {
                "type": "string",
                "maxLength": 200,
                "description": "Shown to operators, and as the reason for which its tasks wait.",
            },
        },
        "additionalProperties": False,
    }
)


def queue_document(queue: Queue) -> dict[str, Any]:
    """Return the switch of one queue."""
    return {
        "name": queue.name,
        "paused": queue.paused,
        "paused_at": queue.paused_at,
        "paused_by": queue.paused_by,
        "paused_reason": queue.paused_reason,
    }
