"""Wire format of kinds."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.kinds import Kind


class RetryPolicySerializer(serializers.Serializer[Any]):
    """The pauses before retries, in seconds: `delay`, doubled after each failure up to `cap`."""

    max_retries = serializers.IntegerField()
    delay = serializers.FloatField()
    cap = serializers.FloatField()


class LimitsSerializer(serializers.Serializer[Any]):
    """The longest time that an attempt may run, in seconds."""

    soft_time_limit = serializers.FloatField()
    time_limit = serializers.FloatField()


class KindSerializer(serializers.Serializer[Any]):
    """A kind of task that can be submitted."""

    name = serializers.CharField()
    description = serializers.CharField()
    input_schema = serializers.DictField(help_text="JSON Schema, draft 2020-12.")
    queue = serializers.CharField()
    priority = serializers.IntegerField()
    limits = LimitsSerializer()
    retry = RetryPolicySerializer()
    transactional = serializers.BooleanField()


class KindsSerializer(serializers.Serializer[Any]):
    """All kinds, sorted by name."""

    kinds = KindSerializer(many=True)


def kind_document(kind: Kind) -> dict[str, Any]:
    """Return the public fields of a kind."""
    return {
        "name": kind.name,
        "description": kind.description,
        "input_schema": kind.schema,
        "queue": kind.queue,
        "priority": kind.priority,
        "limits": {"soft_time_limit": kind.soft_time_limit, "time_limit": kind.time_limit},
        "retry": {
            "max_retries": kind.retry.max_retries,
            "delay": kind.retry.delay,
            "cap": kind.retry.cap,
        },
        "transactional": kind.transactional,
    }
