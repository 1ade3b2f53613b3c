"""Wire format of a request for a task."""

from __future__ import annotations

from tasks.api.shapes.body import Body
from tasks.callback_address import MAX_URL_LENGTH
from tasks.delays import DELAY_LIMIT
from tasks.submission import MAX_ATTEMPTS_LIMIT, PRIORITY_LIMIT, QUEUE_NAME
from tasks.unique import BY_LIMIT, CONFLICTS, KEY_LENGTH

TASK = Body(
    {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "description": "A kind listed by `GET /api/v1/kinds/`."},
            "input": {"type": "object", "description": "Checked against the kind's own schema."},
            "queue": {"type": "string", "pattern": f"^{QUEUE_NAME.pattern}$"},
            "priority": {
                "type": "integer",
                "minimum": -PRIORITY_LIMIT,
                "maximum": PRIORITY_LIMIT,
                "description": "Higher runs first, within a queue.",
            },
            "delay": {
                "type": "number",
                "minimum": 0,
                "maximum": DELAY_LIMIT,
                "description": "Seconds until the task is due. Not together with `scheduled_at`.",
            },
            "scheduled_at": {
                "type": "string",
                "format": "date-time",
                "description": "When the task is due; at most ten years from now.",
            },
            "max_attempts": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS_LIMIT},
            "callback_url": {
                "type": "string",
                "maxLength": MAX_URL_LENGTH,
                "description": "This URL receives a signed POST (Standard Webhooks) when the task"
                " has ended.",
            },
            "expires_in": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": DELAY_LIMIT,
                "description": "Seconds after which the task is cancelled if it has not begun.",
            },
            "unique": {
                "type": "object",
                "description": "At most one task of this kind and caller with the same value: the"
                " `key`, the fields `by` of the input, or the whole input.",
                "properties": {
                    "key": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH},
                    "by": {
                        "type": "array",
                        "items": {"type": "string"},
                        "minItems": 1,
                        "maxItems": BY_LIMIT,
                        "description": "Names of fields, or at most three joined by dots.",
                    },
                    "while": {
                        # Not alternatives: the error would not say what is allowed.
                        "type": ["string", "number"],
                        "default": "unfinished",
                        "description": "`waiting`: until a worker takes the task; `unfinished`:"
                        " until it has ended; or for so many seconds after its submit. A failed or"
                        " cancelled task counts no longer.",
                    },
                    "on_conflict": {
                        "enum": list(CONFLICTS),
                        "default": "existing",
                        "description": "`existing`: return the task that exists, with status 200"
                        " and `Unique-Conflict: existing`; `refuse`: 409; `replace`, only while"
                        " `waiting`: the task gets the input, the options and the delay of this"
                        " request, with status 200 and `Unique-Conflict: replaced`.",
                    },
                    "longest_wait": {
                        "type": "number",
                        "minimum": 0,
                        "maximum": DELAY_LIMIT,
                        "description": "Seconds after the first request beyond which `replace` does"
                        " not put off the start.",
                    },
                },
                "additionalProperties": False,
            },
            "metadata": {
                "type": "object",
                "description": "Your own metadata, returned in lists; at most 16 KiB.",
            },
        },
        "required": ["kind"],
        "additionalProperties": False,
    }
)
