"""The answer to a platform's event."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ReceivedSerializer(serializers.Serializer[Any]):
    """A received event."""

    status = serializers.ChoiceField(["received"])
    task_id = serializers.UUIDField()
