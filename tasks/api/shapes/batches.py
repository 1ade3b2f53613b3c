"""Wire format of batches."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.api.shapes.new_task import TASK
from tasks.api.shapes.queues import StatusCountsSerializer
from tasks.api.shapes.tasks import _PATH
from tasks.models import Batch
from tasks.stats import BatchProgress


class BatchCreatedSerializer(serializers.Serializer[Any]):
    """The ids of a new batch and of its tasks, in the order of the request."""

    batch_id = serializers.UUIDField()
    task_ids = serializers.ListField(child=serializers.UUIDField())


class BatchLinksSerializer(serializers.Serializer[Any]):
    """Related resources."""

    self = serializers.CharField(help_text=_PATH)
    tasks = serializers.CharField(help_text=_PATH)


class BatchSerializer(serializers.Serializer[Any]):
    """The progress of a batch."""

    batch_id = serializers.UUIDField()
    total = serializers.IntegerField(
        help_text="Number of tasks submitted, without unique tasks that existed before."
    )
    counts = StatusCountsSerializer(help_text="Deleted tasks are not counted.")
    progress = serializers.IntegerField(
        min_value=0, max_value=100, help_text="Percentage of the tasks that have ended."
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(
        allow_null=True, help_text="When the last task ended; null until all have ended."
    )
    links = BatchLinksSerializer()


def batch_document(batch: Batch, progress: BatchProgress) -> dict[str, Any]:
    """Return the progress of a batch."""
    return {
        "batch_id": batch.id,
        "total": batch.total,
        "counts": progress.counts,
        "progress": progress.percent,
        "created_at": batch.created_at,
        "finished_at": progress.finished_at,
        "links": {
            "self": path_to("api:batch", batch.id),
            "tasks": f"{reverse('api:tasks')}?batch={batch.id}",
        },
    }


BATCH_LIMIT = 10_000


_TASKS = {"type": "array", "minItems": 1, "maxItems": BATCH_LIMIT, "items": TASK.schema}


# Checks only the outer object; each task is checked by itself, so that errors name its index.
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
