"""Wire format of batches."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.api.shapes.new_task import TASK
from tasks.api.shapes.queues import StatusCountsSerializer
from tasks.api.shapes.tasks import _PATH
from tasks.callback_address import MAX_URL_LENGTH
from tasks.models import Batch, Status
from tasks.models.batch import OnFailure
from tasks.stats import BatchProgress, BatchStatus


class BatchCreatedSerializer(serializers.Serializer[Any]):
    """The ids of a new batch and of its tasks, in the order of the request."""

    batch_id = serializers.UUIDField()
    task_ids = serializers.ListField(child=serializers.UUIDField())


class BatchLinksSerializer(serializers.Serializer[Any]):
    """Related resources; null if the batch's status does not allow the action."""

    self = serializers.CharField(help_text=_PATH)
    tasks = serializers.CharField(help_text=_PATH)
    close = serializers.CharField(allow_null=True, help_text=f"{_PATH} Use POST.")
    cancel = serializers.CharField(allow_null=True, help_text=f"{_PATH} Use POST.")
    retry = serializers.CharField(allow_null=True, help_text=f"{_PATH} Use POST.")


class BatchSerializer(serializers.Serializer[Any]):
    """The progress of a batch."""

    batch_id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(
        BatchStatus.choices, help_text="`open`: tasks may be added until it is closed."
    )
    on_failure = serializers.ChoiceField(OnFailure.choices)
    then_task_id = serializers.UUIDField(
        allow_null=True, help_text="The task that starts after the end."
    )
    callback_url = serializers.CharField(allow_null=True)
    total = serializers.IntegerField(
        help_text="Number of tasks submitted, without unique tasks that existed before; with the"
        " follow-ups of its tasks if something follows the batch."
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
    path = path_to("api:batch", batch.id)
    return {
        "batch_id": batch.id,
        "name": batch.name,
        "status": progress.status,
        "on_failure": batch.on_failure,
        "then_task_id": batch.then_id,
        "callback_url": batch.callback_url or None,
        "total": progress.total,
        "counts": progress.counts,
        "progress": progress.percent,
        "created_at": batch.created_at,
        "finished_at": progress.finished_at,
        "links": {
            "self": path,
            "tasks": f"{path}/tasks/",
            "close": f"{path}/close" if batch.is_open else None,
            **action_links(path, progress),
        },
    }


def action_links(path: str, progress: BatchProgress) -> dict[str, str | None]:
    """Return the links that the status of a batch or a workflow allows."""
    is_alive = progress.status in (BatchStatus.OPEN, BatchStatus.RUNNING)
    undone = progress.counts[Status.FAILED] + progress.counts[Status.CANCELLED]
    return {
        "cancel": f"{path}/cancel" if is_alive else None,
        "retry": f"{path}/retry" if undone else None,
    }


BATCH_LIMIT = 10_000
NAME_LENGTH = 200


_TASKS = {"type": "array", "minItems": 1, "maxItems": BATCH_LIMIT, "items": TASK.schema}


# What batches and workflows have in common.
NAMING: dict[str, Any] = {
    "name": {"type": "string", "maxLength": NAME_LENGTH, "description": "For people."},
    "callback_url": {
        "type": "string",
        "maxLength": MAX_URL_LENGTH,
        "description": "This URL receives a signed POST (Standard Webhooks) at each end: a retry"
        " lets it end again.",
    },
}
# A task without a time, and without what makes one request repeat another.
FOLLOWING_TASK: dict[str, Any] = {
    "properties": {
        name: TASK.schema["properties"][name]
        for name in (
            "kind",
            "input",
            "queue",
            "priority",
            "max_attempts",
            "callback_url",
            "metadata",
        )
    },
    "required": ["kind"],
    "additionalProperties": False,
}
FOLLOWING = Body({"type": "object", **FOLLOWING_TASK})


# Checks only the outer object; each task is checked by itself, so that errors name its index.
BATCH = Body(
    {
        "type": "object",
        "properties": {
            "tasks": {**_TASKS, "minItems": 0, "items": {}},
            **NAMING,
            "then": {
                "type": "object",
                "description": "A task that starts after the end of the batch. Its input may hold"
                ' `{"$batch": "failed"}` and the like: `id`, `total`, `completed`, `failed`,'
                " `cancelled`, `results`. Not if a task failed and `on_failure` is `stop`, or the"
                " batch was cancelled.",
            },
            "on_failure": {
                "enum": list(OnFailure.values),
                "default": OnFailure.CONTINUE.value,
                "description": "Whether the other tasks are cancelled when one has failed.",
            },
            "open": {
                "type": "boolean",
                "description": "Whether tasks may be added until the batch is closed.",
            },
        },
        "required": ["tasks"],
        "additionalProperties": False,
    }
)
# The outer object only, as above; an open batch may begin without a task.
MEMBERS = Body(
    {
        "type": "object",
        "properties": {"tasks": {**_TASKS, "items": {}}},
        "required": ["tasks"],
        "additionalProperties": False,
    }
)


BATCH_SCHEMA = {
    "oneOf": [
        _TASKS,
        {
            **BATCH.schema,
            "properties": {
                **BATCH.schema["properties"],
                "tasks": {**_TASKS, "minItems": 0},
                "then": {**BATCH.schema["properties"]["then"], **FOLLOWING_TASK},
            },
        },
    ],
}
MEMBERS_SCHEMA = {"oneOf": [_TASKS, {**MEMBERS.schema, "properties": {"tasks": _TASKS}}]}
