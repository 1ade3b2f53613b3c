"""What requests may say: JSON Schemas, which are both checked and shown in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from typing import Any

import jsonschema_rs

from tasks.api.errors import MAX_REPORTED_ERRORS
from tasks.callbacks.receiver import MAX_URL_LENGTH
from tasks.errors import FieldError, InvalidInput
from tasks.submission import DELAY_LIMIT, MAX_ATTEMPTS_LIMIT, PRIORITY_LIMIT, QUEUE_NAME

BATCH_LIMIT = 10_000
PURGE_ALL = "all"


class Body:
    """The shape of a request's body."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = dict(schema)

    @cached_property
    def _validator(self) -> Any:
        return jsonschema_rs.validator_for(self.schema)

    def check(self, value: Any) -> dict[str, Any]:
        """Return the object; raise InvalidInput naming the fields."""
        if not self._validator.is_valid(value):
            errors = (_errors(error) for error in self._validator.iter_errors(value))
            found = [one for group in islice(errors, MAX_REPORTED_ERRORS) for one in group]
            raise InvalidInput(found)
        accepted: dict[str, Any] = value
        return accepted


def _errors(error: Any) -> list[FieldError]:
    path = list(map(str, error.instance_path))
    match error.kind.name:
        case "additionalProperties":
            names, message = error.kind.unexpected, "There is no such field."
        case "required":
            names, message = [error.kind.property], "This field is required."
        case _:
            return [FieldError(".".join(path), error.message[:300])]
    return [FieldError(".".join([*path, name[:100]]), message) for name in names]


TASK = Body(
    {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "description": "One of `GET /api/v1/kinds/`."},
            "input": {"type": "object", "description": "Checked against the kind's own schema."},
            "queue": {"type": "string", "pattern": f"^{QUEUE_NAME.pattern}$"},
            "priority": {
                "type": "integer",
                "minimum": -PRIORITY_LIMIT,
                "maximum": PRIORITY_LIMIT,
                "description": "Higher first, within a queue.",
            },
            "delay": {
                "type": "number",
                "minimum": 0,
                "maximum": DELAY_LIMIT,
                "description": "Seconds to wait before the task is due; not with `scheduled_at`.",
            },
            "scheduled_at": {
                "type": "string",
                "format": "date-time",
                "description": "When the task is due; within ten years.",
            },
            "max_attempts": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS_LIMIT},
            "callback_url": {
                "type": "string",
                "maxLength": MAX_URL_LENGTH,
                "description": "Told by a signed POST (Standard Webhooks) when the task has ended.",
            },
            "metadata": {
                "type": "object",
                "description": "Yours; shown in every list, so at most 16 KiB.",
            },
        },
        "required": ["kind"],
        "additionalProperties": False,
    }
)

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

FAILURES = Body(
    {
        "type": "object",
        "properties": {
            "kind": {"type": "string"},
            "queue": {"type": "string"},
            "error_type": {"type": "string"},
            "batch": {"type": "string", "format": "uuid"},
            "failed_after": {"type": "string", "format": "date-time"},
            "failed_before": {"type": "string", "format": "date-time"},
            PURGE_ALL: {"const": True, "description": "Every failed task that you may touch."},
        },
        "minProperties": 1,
        "additionalProperties": False,
    }
)
