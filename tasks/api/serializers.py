"""The shapes of the answers, for the OpenAPI document.

`documents.py` writes them without a serializer's overhead; a test holds each answer against these.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.models import Lane, Outcome, Status

_PATH = "A path on this server."


class ErrorSerializer(serializers.Serializer[Any]):
    """What went wrong."""

    type = serializers.CharField(help_text="The exception's class.")
    title = serializers.CharField()
    detail = serializers.CharField()


class AttemptErrorSerializer(ErrorSerializer):
    """What went wrong in one attempt."""

    traceback = serializers.CharField(
        required=False, allow_null=True, help_text="Shown to operators only."
    )


class AttemptSerializer(serializers.Serializer[Any]):
    """An ended attempt that did not complete the task."""

    number = serializers.IntegerField()
    outcome = serializers.ChoiceField(Outcome.choices)
    worker = serializers.CharField(allow_blank=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    error = AttemptErrorSerializer(allow_null=True)


class TaskErrorSerializer(ErrorSerializer):
    """Why the last attempt failed, and the attempts before it."""

    attempts = AttemptSerializer(many=True, help_text="Oldest first.")


class TaskLinksSerializer(serializers.Serializer[Any]):
    """Where to go from here; null where the status does not allow it."""

    self = serializers.CharField(help_text=_PATH)
    status_page = serializers.CharField(help_text=f"{_PATH} For people.")
    retry = serializers.CharField(allow_null=True, help_text=f"{_PATH} To be POSTed to.")
    cancel = serializers.CharField(allow_null=True, help_text=f"{_PATH} To be POSTed to.")


class TaskSummarySerializer(serializers.Serializer[Any]):
    """A task in a list: without its input, its result and its attempts, which may be large."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    priority = serializers.IntegerField(help_text="Higher first.")
    status = serializers.ChoiceField(Status.choices)
    lane = serializers.ChoiceField(
        Lane.choices, allow_null=True, help_text="What it waits for; null when it does not wait."
    )
    progress = serializers.IntegerField(min_value=0, max_value=100, help_text="Percent.")
    progress_message = serializers.CharField(allow_blank=True)
    attempt = serializers.IntegerField(help_text="Attempts begun that count.")
    retry_count = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    error = ErrorSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    scheduled_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    cancel_requested = serializers.BooleanField()
    callback_url = serializers.CharField(
        allow_null=True, help_text="Who is told when the task has ended."
    )
    batch_id = serializers.UUIDField(allow_null=True)
    metadata = serializers.DictField()
    links = TaskLinksSerializer()


class TaskSerializer(TaskSummarySerializer):
    """A task, with all that is known about it."""

    input = serializers.DictField()
    result = serializers.JSONField(help_text="Null until the task is completed.")
    error = TaskErrorSerializer(allow_null=True)


class TaskPageSerializer(serializers.Serializer[Any]):
    """A page of tasks."""

    next = serializers.CharField(allow_null=True, help_text=_PATH)
    previous = serializers.CharField(allow_null=True, help_text=_PATH)
    results = TaskSummarySerializer(many=True)


class BatchCreatedSerializer(serializers.Serializer[Any]):
    """The tasks of a new batch, in the order in which they were sent."""

    batch_id = serializers.UUIDField()
    task_ids = serializers.ListField(child=serializers.UUIDField())


class StatusCountsSerializer(serializers.Serializer[Any]):
    """How many tasks are in each status."""

    PENDING = serializers.IntegerField()
    PROCESSING = serializers.IntegerField()
    COMPLETED = serializers.IntegerField()
    FAILED = serializers.IntegerField()
    CANCELLED = serializers.IntegerField()


class BatchLinksSerializer(serializers.Serializer[Any]):
    """Where to go from here."""

    self = serializers.CharField(help_text=_PATH)
    tasks = serializers.CharField(help_text=_PATH)


class BatchSerializer(serializers.Serializer[Any]):
    """How far a batch is."""

    batch_id = serializers.UUIDField()
    total = serializers.IntegerField(help_text="How many tasks were submitted.")
    counts = StatusCountsSerializer(help_text="Deleted tasks are not among them.")
    progress = serializers.IntegerField(
        min_value=0, max_value=100, help_text="Percent of the tasks that have ended."
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(
        allow_null=True, help_text="When the last task ended; null while any has not."
    )
    links = BatchLinksSerializer()


class RequeuedSerializer(serializers.Serializer[Any]):
    """How many tasks dead workers had held."""

    requeued = serializers.IntegerField()
