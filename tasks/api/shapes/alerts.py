"""Wire format of alerts and their rules."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from tasks.alerts.conditions import DEFINITIONS
from tasks.alerts.rule_values import (
    ERROR_TYPE_LENGTH,
    KIND_LENGTH,
    LONGEST_HOLD,
    MOST_EMAILS,
    NAME_LENGTH,
    WINDOW,
)
from tasks.alerts.rules import LONGEST_MUTE
from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.callback_address import MAX_URL_LENGTH
from tasks.models import Alert, AlertRule
from tasks.models.alert import Condition
from tasks.submission import QUEUE_NAME

_THRESHOLDS = ", ".join(
    f"{name} {definition.unit}" for name, definition in DEFINITIONS.items() if definition.unit
)
_PROPERTIES: dict[str, dict[str, Any]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH},
    "condition": {"enum": list(Condition.values)},
    "queue": {
        "type": ["string", "null"],
        "pattern": f"^{QUEUE_NAME.pattern}$",
        "description": "Null means every queue.",
    },
    "kind": {"type": ["string", "null"], "minLength": 1, "maxLength": KIND_LENGTH},
    "error_type": {"type": ["string", "null"], "minLength": 1, "maxLength": ERROR_TYPE_LENGTH},
    "threshold": {
        "type": ["number", "null"],
        "description": f"The condition is true from this value on. Its unit: {_THRESHOLDS}."
        " The others have none.",
    },
    "window_seconds": {
        "type": "integer",
        "minimum": WINDOW[0],
        "maximum": WINDOW[1],
        "default": 900,
        "description": "The past that task_failed and failure_rate look at.",
    },
    "for_seconds": {
        "type": "integer",
        "minimum": 0,
        "maximum": LONGEST_HOLD,
        "default": 0,
        "description": "How long the condition must be true before an alert opens.",
    },
    "emails": {
        "type": "array",
        "items": {"type": "string", "maxLength": 254},
        "maxItems": MOST_EMAILS,
        "default": [],
    },
    "webhook_url": {
        "type": ["string", "null"],
        "maxLength": MAX_URL_LENGTH,
        "description": "Messages are signed with a secret of `GET /api/v1/alerts/secrets`.",
    },
    "enabled": {"type": "boolean", "default": True},
}

NEW_RULE = Body(
    {
        "type": "object",
        "properties": _PROPERTIES,
        "required": ["name", "condition"],
        "additionalProperties": False,
    }
)
RULE_CHANGES = Body(
    {
        "type": "object",
        # No defaults: a field that is not given keeps its value.
        "properties": {
            name: {key: value for key, value in schema.items() if key != "default"}
            for name, schema in _PROPERTIES.items()
        },
        "minProperties": 1,
        "additionalProperties": False,
    }
)
MUTE = Body(
    {
        "type": "object",
        "properties": {
            "seconds": {
                "type": "integer",
                "minimum": 1,
                "maximum": int(LONGEST_MUTE.total_seconds()),
            },
            "until": {"type": "string", "format": "date-time"},
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
)
RULE_EXAMPLES = [
    OpenApiExample(
        "No worker for any queue with work",
        value={
            "name": "Nobody works",
            "condition": "no_worker",
            "for_seconds": 60,
            "webhook_url": "https://example.com/alerts",
        },
        request_only=True,
    ),
    OpenApiExample(
        "Ten failures of one kind within a quarter of an hour",
        value={
            "name": "Texts fail",
            "condition": "task_failed",
            "kind": "text.analyze",
            "threshold": 10,
            "window_seconds": 900,
        },
        request_only=True,
    ),
]
MUTE_EXAMPLES = [
    OpenApiExample("For an hour", value={"seconds": 3600}, request_only=True),
    OpenApiExample("Until a time", value={"until": "2030-01-01T08:00:00Z"}, request_only=True),
]


class RuleSerializer(serializers.Serializer[Any]):
    """A rule of alerts."""

    rule_id = serializers.UUIDField()
    name = serializers.CharField()
    condition = serializers.ChoiceField(choices=Condition.choices)
    queue = serializers.CharField(allow_null=True)
    kind = serializers.CharField(allow_null=True)
    error_type = serializers.CharField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    window_seconds = serializers.IntegerField()
    for_seconds = serializers.IntegerField()
    emails = serializers.ListField(child=serializers.CharField())
    webhook_url = serializers.CharField(allow_null=True)
    enabled = serializers.BooleanField()
    muted_until = serializers.DateTimeField(
        allow_null=True, help_text="Null or past: alerts that open are reported."
    )
    evaluated_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(
        allow_null=True, help_text="Why the last evaluation failed; null if it did not."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    links = serializers.DictField(child=serializers.CharField())


class RulePageSerializer(serializers.Serializer[Any]):
    """A page of rules."""

    next = serializers.CharField(allow_null=True, help_text="A path on this server.")
    previous = serializers.CharField(allow_null=True, help_text="A path on this server.")
    results = RuleSerializer(many=True)


class AlertSerializer(serializers.Serializer[Any]):
    """An alert: one incident of a rule and a subject."""

    alert_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=["open", "closed"])
    rule_id = serializers.UUIDField(allow_null=True, help_text="Null: the rule has been deleted.")
    rule = serializers.CharField(help_text="The name of the rule when the alert opened.")
    condition = serializers.ChoiceField(choices=Condition.choices)
    subject = serializers.CharField(help_text="Such as the name of a queue.")
    sentence = serializers.CharField(help_text="What was so at the opening.")
    value = serializers.FloatField(help_text="At the opening.")
    latest_value = serializers.FloatField()
    threshold = serializers.FloatField(allow_null=True)
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    notified_at = serializers.DateTimeField(
        allow_null=True, help_text="Null: the rule was muted or had no receivers."
    )
    acknowledged_by = serializers.CharField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    links = serializers.DictField(child=serializers.CharField())


class AlertPageSerializer(serializers.Serializer[Any]):
    """A page of alerts."""

    next = serializers.CharField(allow_null=True, help_text="A path on this server.")
    previous = serializers.CharField(allow_null=True, help_text="A path on this server.")
    results = AlertSerializer(many=True)


def rule_document(rule: AlertRule) -> dict[str, Any]:
    """Return everything about one rule."""
    path = path_to("api:alert_rule", rule.id)
    return {
        "rule_id": rule.id,
        "name": rule.name,
        "condition": rule.condition,
        "queue": rule.queue or None,
        "kind": rule.kind or None,
        "error_type": rule.error_type or None,
        "threshold": rule.threshold,
        "window_seconds": rule.window_seconds,
        "for_seconds": rule.for_seconds,
        "emails": rule.emails,
        "webhook_url": rule.webhook_url or None,
        "enabled": rule.enabled,
        "muted_until": rule.muted_until,
        "evaluated_at": rule.evaluated_at,
        "last_error": rule.last_error or None,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
        "links": {"self": path, "mute": f"{path}/mute", "unmute": f"{path}/unmute"},
    }


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return everything about one alert."""
    path = path_to("api:alert", alert.id)
    return {
        "alert_id": alert.id,
        "state": "closed" if alert.closed_at else "open",
        "rule_id": alert.rule_id,
        "rule": alert.rule_name,
        "condition": alert.condition,
        "subject": alert.subject,
        "sentence": alert.sentence,
        "value": alert.value,
        "latest_value": alert.latest_value,
        "threshold": alert.threshold,
        "opened_at": alert.opened_at,
        "closed_at": alert.closed_at,
        "notified_at": alert.notified_at,
        "acknowledged_by": alert.acknowledged_by or None,
        "acknowledged_at": alert.acknowledged_at,
        "links": {"self": path, "acknowledge": f"{path}/acknowledge"},
    }
