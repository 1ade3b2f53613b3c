"""Wire format of tasks.

The serializers only describe the OpenAPI document; responses are built without their overhead, and
tests compare them with the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from rest_framework import serializers

from tasks.api.shapes.links import path_to
from tasks.models import Attempt, Lane, Outcome, Status, Task
from tasks.models.task import CANCELLABLE, RETRYABLE
from tasks.stats import Reason, Waiting, expected_reason

_PATH = "A path on this server."


class ErrorSerializer(serializers.Serializer[Any]):
    """Why an attempt failed."""

    type = serializers.CharField(help_text="The class of the exception.")
    title = serializers.CharField()
    detail = serializers.CharField()


class AttemptErrorSerializer(ErrorSerializer):
    """Why one attempt failed."""

    traceback = serializers.CharField(
        required=False, allow_null=True, help_text="Included for operators only."
    )


class AttemptSerializer(serializers.Serializer[Any]):
    """An attempt that ended without completing the task."""

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
    """Related resources; null if the task's status does not allow the action."""

    self = serializers.CharField(help_text=_PATH)
    status_page = serializers.CharField(help_text=f"{_PATH} An HTML page.")
    retry = serializers.CharField(allow_null=True, help_text=f"{_PATH} Use POST.")
    cancel = serializers.CharField(allow_null=True, help_text=f"{_PATH} Use POST.")


class TaskSummarySerializer(serializers.Serializer[Any]):
    """A task in a list, without its input, result and attempts, which may be large."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    priority = serializers.IntegerField(help_text="Higher runs first.")
    status = serializers.ChoiceField(Status.choices)
    lane = serializers.ChoiceField(
        Lane.choices,
        allow_null=True,
        help_text="The lane in which the task waits; null if it does not wait.",
    )
    progress = serializers.IntegerField(min_value=0, max_value=100, help_text="Percentage.")
    progress_message = serializers.CharField(allow_blank=True)
    attempt = serializers.IntegerField(
        help_text="Attempts started, except those that were snoozed, interrupted or lost with"
        " their worker."
    )
    retry_count = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    error = ErrorSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    scheduled_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(
        allow_null=True, help_text="When the task is cancelled if it has not begun."
    )
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    cancel_requested = serializers.BooleanField()
    callback_url = serializers.CharField(
        allow_null=True, help_text="URL that is notified when the task has ended."
    )
    batch_id = serializers.UUIDField(
        allow_null=True, help_text="The batch or workflow that the task is a member of."
    )
    node = serializers.CharField(allow_null=True, help_text="Its name in the workflow.")
    parent_id = serializers.UUIDField(
        allow_null=True, help_text="The task that submitted this one from its handler."
    )
    request_id = serializers.CharField(
        allow_null=True, help_text="`X-Request-ID` of the request that caused the task."
    )
    metadata = serializers.DictField()
    links = TaskLinksSerializer()


class WaitingSerializer(serializers.Serializer[Any]):
    """Why a task waits."""

    reason = serializers.ChoiceField(
        Reason.choices,
        help_text="`due`: for a worker; `scheduled`: for its time; `backoff`: for its next attempt;"
        " `dependencies`: for the end of other tasks; `paused`: its queue is paused; `limit`: a"
        " limit is reached or paused; `no_worker`: no"
        " worker serves its queue and knows its kind.",
    )
    place = serializers.IntegerField(
        allow_null=True,
        help_text="1 for the next task of its queue, or of those that wait for the same limit; null"
        " if it is far behind or not known.",
    )
    eta_s = serializers.FloatField(
        allow_null=True,
        help_text="Estimated seconds until the start, from the pace of the last minute; null if"
        " nothing ended in it.",
    )
    detail = serializers.CharField(allow_blank=True)


class UniqueUntilSerializer(serializers.Serializer[Any]):
    """For how long the task is the only one with its value."""

    until = serializers.DateTimeField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Add the field `while`: its name is a reserved word of Python."""
        hold = serializers.ChoiceField(
            ["waiting", "unfinished", "period"], help_text="`period`: see `until`."
        )
        return {"while": hold, **super().get_fields()}


class TaskSerializer(TaskSummarySerializer):
    """A task with all its details."""

    waiting = WaitingSerializer(
        allow_null=True,
        help_text="Null if the task does not wait. A submit returns only the reason.",
    )
    unique = UniqueUntilSerializer(
        allow_null=True, help_text="Null if there may be others with the same value."
    )
    cached_from = serializers.UUIDField(
        allow_null=True,
        help_text="The task whose result this one got; its own handler did not run.",
    )
    input = serializers.DictField()
    result = serializers.JSONField(help_text="Null until the task is completed.")
    error = TaskErrorSerializer(allow_null=True)


class TaskPageSerializer(serializers.Serializer[Any]):
    """A page of tasks."""

    next = serializers.CharField(allow_null=True, help_text=_PATH)
    previous = serializers.CharField(allow_null=True, help_text=_PATH)
    results = TaskSummarySerializer(many=True)


class RequeuedSerializer(serializers.Serializer[Any]):
    """The number of tasks that were rescued from dead workers."""

    requeued = serializers.IntegerField()


# The columns that change with a task's document; small ones only. A newer request that replaces a
# unique task's input gives it another job.
CHANGING = (
    "status", "claim_number", "attempt", "max_attempts", "progress", "progress_message",
    "cancel_requested", "scheduled_at", "expires_at", "started_at", "finished_at", "job_id",
)  # fmt: skip


def queued_document(task: Task) -> dict[str, Any]:
    """Return all details of a task that was just queued, at no cost for why it waits."""
    return task_document(task, waiting=expected_reason(task))


def task_document(
    task: Task, *, waiting: Waiting | None, with_tracebacks: bool = False
) -> dict[str, Any]:
    """Return all details of one task; costs a query for its attempts if it has an error."""
    document = task_summary(task)
    document["waiting"] = waiting.document() if waiting else None
    document["unique"] = (
        {"while": task.unique_while, "until": task.unique_until} if task.unique_key else None
    )
    document["cached_from"] = task.cached_from
    document["input"] = task.input
    document["result"] = task.result
    if task.error is not None:
        attempts = task.attempts.order_by("claim_number")
        document["error"] = {
            **task.error,
            "attempts": [_attempt(each, with_traceback=with_tracebacks) for each in attempts],
        }
    return document


def task_summary(task: Task) -> dict[str, Any]:
    """Return a task as in lists, without its large fields."""
    return {
        "task_id": task.id,
        "kind": task.kind,
        "queue": task.queue,
        "priority": task.priority,
        "status": task.status,
        "lane": task.lane,
        "progress": task.progress,
        "progress_message": task.progress_message,
        "attempt": task.attempt,
        "retry_count": task.retry_count,
        "max_attempts": task.max_attempts,
        "error": task.error,
        "created_at": task.created_at,
        "scheduled_at": None if task.waits_for_others else task.scheduled_at,
        "expires_at": task.expires_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "cancel_requested": task.cancel_requested,
        "callback_url": task.callback_url or None,
        "batch_id": task.batch_id,
        "node": task.node,
        "parent_id": task.parent_id,
        "request_id": task.request_id or None,
        "metadata": task.metadata,
        "links": _links(task),
    }


def task_etag(task: Task, *, waiting: Waiting | None, with_tracebacks: bool = False) -> str:
    """Return a weak entity tag that changes whenever the task's document does.

    The estimate alone does not change it: it would at each request.
    """
    state = [getattr(task, name) for name in CHANGING]
    waits = (waiting.reason, waiting.place, waiting.detail) if waiting else None
    digest = crc32(repr((state, task.lane, waits, with_tracebacks)).encode())
    return f'W/"{task.claim_number}-{digest:08x}"'


def _links(task: Task) -> dict[str, str | None]:
    path = path_to("api:task", task.id)
    return {
        "self": path,
        "status_page": path_to("tasks-ui:task-detail", task.id),
        "retry": f"{path}/retry" if task.status in RETRYABLE else None,
        "cancel": f"{path}/cancel" if task.status in CANCELLABLE else None,
    }


def _attempt(attempt: Attempt, *, with_traceback: bool) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "worker": attempt.worker,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
        "error": _attempt_error(attempt.error, with_traceback=with_traceback),
    }


def _attempt_error(
    error: Mapping[str, Any] | None, *, with_traceback: bool
) -> dict[str, Any] | None:
    if error is None:
        return None
    return {name: value for name, value in error.items() if with_traceback or name != "traceback"}
