"""The documented shapes of `/conversations/…`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analysis.celery_states import CELERY_STATES

PENDING_ID = "pending"
RECEIVED = "Message received and being processed"


class ReplySerializer(serializers.Serializer[Any]):
    """The reply to a message, or where to ask for it."""

    conversation_id = serializers.CharField(
        allow_null=True, help_text='"pending" while the reply is being made.'
    )
    response = serializers.CharField(allow_blank=True, help_text="The reply, once it is made.")
    status = serializers.ChoiceField(["processing", "completed", "failed", "cancelled"])
    task_id = serializers.UUIDField()


_RESULT = {
    "type": ["object", "null"],
    "properties": {
        "conversation_id": {"type": "string"},
        "ai_response": {"type": "string"},
    },
    "description": "The reply; of tasks that make none, whatever they make.",
}


@extend_schema_field(_RESULT)
class ResultField(serializers.JSONField):
    """What became of a task."""


class ConversationTaskSerializer(serializers.Serializer[Any]):
    """How far a task of the conversations is."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(CELERY_STATES)
    progress = serializers.IntegerField(min_value=0, max_value=100)
    result = ResultField()


class QueueCountSerializer(serializers.Serializer[Any]):
    """What one queue holds."""

    active = serializers.IntegerField()
    pending = serializers.IntegerField()


class ConversationQueuesSerializer(serializers.Serializer[Any]):
    """The three queues."""

    conversations = QueueCountSerializer()
    webhooks = QueueCountSerializer()
    analytics = QueueCountSerializer()


class ConversationQueuesStatusSerializer(serializers.Serializer[Any]):
    """What the three queues hold."""

    queues = ConversationQueuesSerializer()
    timestamp = serializers.DateTimeField()


class ActiveTaskSerializer(serializers.Serializer[Any]):
    """A task that runs."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    status = serializers.ChoiceField(CELERY_STATES)
    progress = serializers.IntegerField(min_value=0, max_value=100)
    started_at = serializers.DateTimeField()


class ActiveTasksSerializer(serializers.Serializer[Any]):
    """The tasks that run."""

    active_tasks = ActiveTaskSerializer(many=True)
    total = serializers.IntegerField(help_text="How many run, if more than are listed.")
    timestamp = serializers.DateTimeField()


class CancelledTaskSerializer(serializers.Serializer[Any]):
    """What cancelling a task came to."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(CELERY_STATES)
    message = serializers.CharField()


class ReceivedSerializer(serializers.Serializer[Any]):
    """An event that was taken in."""

    status = serializers.ChoiceField(["received"])
    task_id = serializers.UUIDField()
