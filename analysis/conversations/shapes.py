"""Shapes of `/conversations/…`, as documented."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analysis.celery_states import CELERY_STATES

PENDING_ID = "pending"
RECEIVED = "Message received and being processed"


class ReplySerializer(serializers.Serializer[Any]):
    """The reply to a message, or the task that makes it."""

    conversation_id = serializers.CharField(
        allow_null=True, help_text='"pending" while the reply is being made.'
    )
    response = serializers.CharField(
        allow_blank=True, help_text="The reply when it is ready, or the reason why it failed."
    )
    status = serializers.ChoiceField(["processing", "completed", "failed", "cancelled"])
    task_id = serializers.UUIDField()


_RESULT = {
    "type": ["object", "null"],
    "properties": {
        "conversation_id": {"type": "string"},
        "ai_response": {"type": "string"},
    },
    "description": "The reply; for tasks that make no reply, their own result.",
}


@extend_schema_field(_RESULT)
class ResultField(serializers.JSONField):
    """The result of a task."""


class ConversationTaskSerializer(serializers.Serializer[Any]):
    """Status and progress of a task of the conversations."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(CELERY_STATES)
    progress = serializers.IntegerField(min_value=0, max_value=100)
    result = ResultField()


class QueueCountSerializer(serializers.Serializer[Any]):
    """The tasks of one queue."""

    active = serializers.IntegerField()
    pending = serializers.IntegerField()


class ConversationQueuesSerializer(serializers.Serializer[Any]):
    """The three queues."""

    conversations = QueueCountSerializer()
    webhooks = QueueCountSerializer()
    analytics = QueueCountSerializer()


class ConversationQueuesStatusSerializer(serializers.Serializer[Any]):
    """The tasks of the three queues."""

    queues = ConversationQueuesSerializer()
    timestamp = serializers.DateTimeField()


class ActiveTaskSerializer(serializers.Serializer[Any]):
    """A running task."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    status = serializers.ChoiceField(CELERY_STATES)
    progress = serializers.IntegerField(min_value=0, max_value=100)
    started_at = serializers.DateTimeField()


class ActiveTasksSerializer(serializers.Serializer[Any]):
    """The running tasks."""

    active_tasks = ActiveTaskSerializer(many=True)
    total = serializers.IntegerField(
        help_text="Number of running tasks, including those that are not listed."
    )
    timestamp = serializers.DateTimeField()


class CancelledTaskSerializer(serializers.Serializer[Any]):
    """The outcome of a cancellation."""

    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(CELERY_STATES)
    message = serializers.CharField()
