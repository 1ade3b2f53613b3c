"""Wire format of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.cron import CRON_LENGTH
from tasks.models import CatchUp, Overlap, Schedule, ScheduleRun, Status, Task
from tasks.schedules import JITTER_LIMIT, NAME_LENGTH
from tasks.submission import QUEUE_NAME

_PROPERTIES: dict[str, dict[str, Any]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH},
    "kind": {"type": "string", "description": "A kind listed by `GET /api/v1/kinds/`."},
    "input": {"type": "object", "description": "Checked against the kind's own schema."},
    "queue": {
        "type": ["string", "null"],
        "pattern": f"^{QUEUE_NAME.pattern}$",
        "description": "Null means the kind's default queue.",
    },
    "cron": {
        "type": "string",
        "maxLength": CRON_LENGTH,
        "description": "Five fields: minute, hour, day of month, month, day of week.",
    },
    "timezone": {
        "type": "string",
        "default": "UTC",
        "description": "IANA name of the time zone of `cron`; follows daylight saving time.",
    },
    "enabled": {"type": "boolean", "default": True},
    "overlap": {
        "enum": Overlap.values,
        "default": Overlap.ALLOW,
        "description": "While a task of an earlier run has not ended, a run `allow`: starts beside"
        " it, `skip`: is left out, `queue`: waits; one run waits at most.",
    },
    "catch_up": {
        "enum": CatchUp.values,
        "default": CatchUp.ONCE,
        "description": "Runs that were missed while no worker was alive: `once`: one run replaces"
        " all, `none`: they are left out, `all`: each of the last day runs.",
    },
    "jitter": {
        "type": "integer",
        "minimum": 0,
        "maximum": JITTER_LIMIT,
        "default": 0,
        "description": "Seconds by which a run may start later, at random.",
    },
}

NEW_SCHEDULE = Body(
    {
        "type": "object",
        "properties": _PROPERTIES,
        "required": ["name", "kind", "cron"],
        "additionalProperties": False,
    }
)
SCHEDULE_CHANGES = Body(
    {
        "type": "object",
        # No defaults: a field that is not given keeps its value.
        "properties": {
            name: {rule: value for rule, value in rules.items() if rule != "default"}
            for name, rules in _PROPERTIES.items()
        },
        "minProperties": 1,
        "additionalProperties": False,
    }
)

NEW_EXAMPLES = [
    OpenApiExample(
        "Every night in Berlin",
        value={
            "name": "Nightly report",
            "kind": "analytics.performance",
            "input": {"hours": 24},
            "cron": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "overlap": "skip",
        },
        request_only=True,
    ),
    OpenApiExample(
        "Every quarter of an hour on working days, not yet enabled",
        value={
            "name": "Pulse",
            "kind": "text.analyze",
            "input": {"text": "To be, or not to be."},
            "queue": "default",
            "cron": "*/15 * * * MON-FRI",
            "enabled": False,
        },
        request_only=True,
    ),
]
CHANGE_EXAMPLES = [
    OpenApiExample("Another time", value={"cron": "0 4 * * *"}, request_only=True),
    OpenApiExample("The kind's default queue", value={"queue": None}, request_only=True),
]


class ScheduleLinksSerializer(serializers.Serializer[Any]):
    """Related resources, as paths on this server."""

    self = serializers.CharField()
    run = serializers.CharField(help_text="Use POST.")
    runs = serializers.CharField()
    last_task = serializers.CharField(
        allow_null=True, help_text="The task may already have been deleted."
    )


class ScheduleSerializer(serializers.Serializer[Any]):
    """A schedule that submits a task at set times."""

    schedule_id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()
    input = serializers.DictField()
    queue = serializers.CharField(allow_null=True, help_text="Null for the kind's default queue.")
    cron = serializers.CharField()
    timezone = serializers.CharField()
    enabled = serializers.BooleanField()
    overlap = serializers.ChoiceField(Overlap.choices)
    catch_up = serializers.ChoiceField(CatchUp.choices)
    jitter = serializers.IntegerField(help_text="Seconds.")
    next_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Null while disabled. In the past while the run waits for an earlier task.",
    )
    last_at = serializers.DateTimeField(allow_null=True)
    last_task_id = serializers.UUIDField(
        allow_null=True, help_text="Submitted by the schedule or by a request to run it now."
    )
    last_error = serializers.CharField(
        allow_null=True,
        help_text="Why the last run submitted no task; null if it submitted one.",
    )
    created_at = serializers.DateTimeField()
    links = ScheduleLinksSerializer()


class SchedulePageSerializer(serializers.Serializer[Any]):
    """A page of schedules."""

    next = serializers.CharField(allow_null=True, help_text="A path on this server.")
    previous = serializers.CharField(allow_null=True, help_text="A path on this server.")
    results = ScheduleSerializer(many=True)


class ScheduleRunSerializer(serializers.Serializer[Any]):
    """One run of a schedule."""

    tick = serializers.DateTimeField(
        allow_null=True, help_text="When it was due; null for a run that was requested."
    )
    at = serializers.DateTimeField()
    task_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(
        Status.choices,
        allow_null=True,
        help_text="Of its task; null if there is none, or it was deleted.",
    )
    note = serializers.CharField(
        allow_null=True,
        help_text="Why it submitted no task, or for how many missed ticks it also stands.",
    )


class ScheduleRunsSerializer(serializers.Serializer[Any]):
    """The newest runs of a schedule."""

    runs = ScheduleRunSerializer(many=True)


def runs_document(runs: Sequence[ScheduleRun]) -> dict[str, Any]:
    """Return runs of a schedule with the statuses of their tasks."""
    ids = [run.task_id for run in runs if run.task_id]
    statuses = dict(Task.objects.filter(pk__in=ids).values_list("pk", "status"))
    return {
        "runs": [
            {
                "tick": run.tick,
                "at": run.at,
                "task_id": run.task_id,
                "status": statuses.get(run.task_id) if run.task_id else None,
                "note": run.note or None,
            }
            for run in runs
        ]
    }


def schedule_document(schedule: Schedule) -> dict[str, Any]:
    """Return everything about one schedule."""
    path = path_to("api:schedule", schedule.id)
    last_task_id = schedule.last_task_id
    return {
        "schedule_id": schedule.id,
        "name": schedule.name,
        "kind": schedule.kind,
        "input": schedule.input,
        "queue": schedule.queue or None,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "enabled": schedule.enabled,
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "jitter": schedule.jitter,
        "next_at": schedule.next_at,
        "last_at": schedule.last_at,
        "last_task_id": last_task_id,
        "last_error": schedule.last_error or None,
        "created_at": schedule.created_at,
        "links": {
            "self": path,
            "run": f"{path}/run",
            "runs": f"{path}/runs",
            "last_task": path_to("api:task", last_task_id) if last_task_id else None,
        },
    }
