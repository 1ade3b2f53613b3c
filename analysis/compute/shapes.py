"""Shapes of `/process` and `/results`, as documented."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field({"type": ["number", "string", "null"]})
class NumberField(serializers.JSONField):
    """A number of any size."""


class ComputationAcceptedSerializer(serializers.Serializer[Any]):
    """An accepted computation."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(["pending"])
    message = serializers.CharField()


class ComputationSerializer(serializers.Serializer[Any]):
    """A computation: its status, and its result or error."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(
        ["pending", "completed", "failed"],
        help_text="`pending` while the task waits or runs; `failed` if it failed or was cancelled.",
    )
    result = NumberField(
        help_text="Null until the task is completed; a string if the result exceeds 64 bits."
    )
    error_message = serializers.CharField(allow_null=True, help_text="Why it failed.")
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
