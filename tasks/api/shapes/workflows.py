"""Wire format of workflows."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from tasks.api.shapes.batches import FOLLOWING_TASK, NAMING, action_links
from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.api.shapes.queues import StatusCountsSerializer
from tasks.api.shapes.tasks import _PATH
from tasks.lifecycle.workflows import NODES_LIMIT
from tasks.models import Batch, Status, Task
from tasks.models.batch import OnFailure
from tasks.references import NODE_RULE
from tasks.stats import BatchProgress, BatchStatus

NODE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A task. Its input may hold references to results of others, such as"
    ' `{"$result": "fetch.body.items"}`: then it starts after those.',
    **FOLLOWING_TASK,
    "properties": {
        **FOLLOWING_TASK["properties"],
        "after": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The names of tasks that must have ended before.",
        },
        "on_failure": {
            "enum": list(OnFailure.values),
            "default": OnFailure.STOP.value,
            "description": "Whether the tasks after it are cancelled when it fails, or start all"
            " the same; its result is then null.",
        },
        "map": {
            "type": "object",
            "description": 'A reference to a list: there is one task for each item, and `{"$item":'
            ' ""}` in the input stands for the item. The result is `{"results": […]}`.',
        },
    },
}
NODE = Body(NODE_SCHEMA)
_WORKFLOW: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": NODES_LIMIT,
            "description": f"The tasks by their names. {NODE_RULE}",
        },
        **NAMING,
    },
    "required": ["tasks"],
    "additionalProperties": False,
}
# Checks only the outer object; each task is checked by itself, so that errors name it.
WORKFLOW = Body(_WORKFLOW)
WORKFLOW_SCHEMA = {
    **_WORKFLOW,
    "properties": {
        **_WORKFLOW["properties"],
        "tasks": {**_WORKFLOW["properties"]["tasks"], "additionalProperties": NODE_SCHEMA},
    },
}
EXAMPLES = [
    OpenApiExample(
        "Analyse two texts, then add up their words",
        value={
            "name": "Two texts",
            "tasks": {
                "first": {"kind": "text.analyze", "input": {"text": "To be, or not to be."}},
                "second": {"kind": "text.analyze", "input": {"text": "That is the question."}},
                "sum": {
                    "kind": "compute",
                    "input": {
                        "operation": "sum",
                        "input": [
                            {"$result": "first.word_count"},
                            {"$result": "second.word_count"},
                        ],
                    },
                },
            },
        },
        request_only=True,
    ),
]


class WorkflowCreatedSerializer(serializers.Serializer[Any]):
    """A new workflow, and the ids of its tasks by their names."""

    workflow_id = serializers.UUIDField()
    status = serializers.ChoiceField(BatchStatus.choices)
    tasks = serializers.DictField(child=serializers.UUIDField())


class WorkflowTaskSerializer(serializers.Serializer[Any]):
    """A task of a workflow."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    after = serializers.ListField(child=serializers.CharField())
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class WorkflowLinksSerializer(serializers.Serializer[Any]):
    """Related resources; null if the workflow's status does not allow the action."""

    self = serializers.CharField(help_text=_PATH)
    cancel = serializers.CharField(allow_null=True, help_text=f"{_PATH} Use POST.")
    retry = serializers.CharField(allow_null=True, help_text=f"{_PATH} Use POST.")


class WorkflowSerializer(serializers.Serializer[Any]):
    """A workflow and its tasks by their names."""

    workflow_id = serializers.UUIDField()
    name = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(BatchStatus.choices)
    callback_url = serializers.CharField(allow_null=True)
    total = serializers.IntegerField(help_text="With the follow-ups of its tasks.")
    counts = StatusCountsSerializer(help_text="Deleted tasks are not counted.")
    progress = serializers.IntegerField(min_value=0, max_value=100)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    tasks = serializers.DictField(
        child=WorkflowTaskSerializer(),
        help_text="Those of a repeated task are named `each.0`, `each.1` and so on.",
    )
    links = WorkflowLinksSerializer()


def workflow_document(
    batch: Batch, progress: BatchProgress, *, tasks: list[Task], after: dict[Any, list[Any]]
) -> dict[str, Any]:
    """Return a workflow; `after` has the ids of tasks that others wait for."""
    path = path_to("api:workflow", batch.id)
    names = {task.pk: task.node for task in tasks}
    return {
        "workflow_id": batch.id,
        "name": batch.name,
        "status": progress.status,
        "callback_url": batch.callback_url or None,
        "total": progress.total,
        "counts": progress.counts,
        "progress": progress.percent,
        "created_at": batch.created_at,
        "finished_at": progress.finished_at,
        "tasks": {
            task.node: {
                "task_id": task.pk,
                "kind": task.kind,
                "status": task.status,
                "after": [names[on_id] for on_id in after.get(task.pk, []) if on_id in names],
                "started_at": task.started_at,
                "finished_at": task.finished_at,
            }
            for task in tasks
        },
        "links": {"self": path, **action_links(path, progress)},
    }
