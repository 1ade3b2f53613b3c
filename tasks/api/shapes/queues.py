"""Queues as the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class StatusCountsSerializer(serializers.Serializer[Any]):
    """How many tasks are in each status."""

    PENDING = serializers.IntegerField()
    PROCESSING = serializers.IntegerField()
    COMPLETED = serializers.IntegerField()
    FAILED = serializers.IntegerField()
    CANCELLED = serializers.IntegerField()


class LanesSerializer(serializers.Serializer[Any]):
    """How many tasks wait in each lane."""

    primary = serializers.IntegerField(help_text="Due and never tried.")
    retry = serializers.IntegerField(help_text="Due and tried before.")
    scheduled = serializers.IntegerField(help_text="Not yet due.")
    dlq = serializers.IntegerField(help_text="Failed for good.")


class QueueLoadSerializer(serializers.Serializer[Any]):
    """What one queue holds."""

    pending = serializers.IntegerField(help_text="Scheduled tasks included.")
    processing = serializers.IntegerField()
    oldest_age_s = serializers.FloatField(
        allow_null=True, help_text="Seconds for which the oldest due task has been waiting."
    )
    paused = serializers.BooleanField()


class QueuesStatusSerializer(serializers.Serializer[Any]):
    """What waits and what was, over all owners."""

    queues = LanesSerializer()
    states = StatusCountsSerializer()
    retry_ratio = serializers.FloatField(
        help_text="The retry lane's share of the work: 0.3 at most while both lanes wait."
    )
    by_queue = serializers.DictField(child=QueueLoadSerializer())
    timestamp = serializers.DateTimeField(
        help_text="When it was counted: now, or, of many tasks, seconds ago; a minute at most."
    )


class QueueSerializer(serializers.Serializer[Any]):
    """A queue's switch."""

    name = serializers.CharField()
    paused = serializers.BooleanField()
