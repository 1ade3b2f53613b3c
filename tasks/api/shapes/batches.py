"""Batches as the API shows them, and the body of their request."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.api.shapes.queues import StatusCountsSerializer
from tasks.api.shapes.tasks import _PATH, TASK
from tasks.models import Batch
from tasks.stats import BatchProgress


class BatchCreatedSerializer(serializers.Serializer[Any]):
    """The tasks of a new batch, in the order in which they were sent."""

    batch_id = serializers.UUIDField()
    task_ids = serializers.ListField(child=serializers.UUIDField())


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


def batch_document(batch: Batch, progress: BatchProgress) -> dict[str, Any]:
    """Return how far a batch is."""
    own = path_to("api:batch", batch.id)
    return {
        "batch_id": batch.id,
        "total": batch.total,
        "counts": progress.counts,
        "progress": progress.percent,
        "created_at": batch.created_at,
        "finished_at": progress.finished_at,
        "links": {"self": own, "tasks": f"{reverse('api:tasks')}?batch={batch.id}"},
    }


BATCH_LIMIT = 10_000


_TASKS = {"type": "array", "minItems": 1, "maxItems": BATCH_LIMIT, "items": TASK.schema}


# What is checked at once is the frame; each task is checked by itself, to be named by its index.
BATCH = Body(
    {
        "type": "object",
        "properties": {"tasks": {**_TASKS, "items": {}}},
        "required": ["tasks"],
        "additionalProperties": False,
    }
)


BATCH_SCHEMA = {
    "oneOf": [_TASKS, {**BATCH.schema, "properties": {"tasks": _TASKS}}],
}
