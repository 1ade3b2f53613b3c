"""Wire format of limits."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.limit_values import CONCURRENT_LIMIT, PATH_RULE, RATE_RULE
from tasks.limits.rules import REASON_LENGTH
from tasks.models import Limit, Scope
from tasks.stats import BLOCKED_LIMIT, Usage, ValueUsage

_VALUES: dict[str, dict[str, Any]] = {
    "concurrent": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": CONCURRENT_LIMIT,
        "description": "At most so many tasks run at once; null for no bound.",
    },
    "rate": {
        "type": ["string", "null"],
        "maxLength": 20,
        "description": f"At most so many tasks start in any period; null for no bound. {RATE_RULE}",
    },
    "burst": {
        "type": ["integer", "null"],
        "minimum": 1,
        "description": "How many tasks of a rate may start together, 1 if omitted; the others start"
        " at even distances, which a larger burst lengthens.",
    },
    "paused": {"type": "boolean", "description": "Whether nothing starts under the limit."},
    "paused_reason": {"type": "string", "maxLength": REASON_LENGTH},
}
_PLACE: dict[str, dict[str, Any]] = {
    "scope": {"type": "string", "enum": list(Scope.values)},
    "name": {
        "type": "string",
        "maxLength": 150,
        "description": "The queue, the kind, or the name of one owner; each owner if omitted.",
    },
    "by": {
        "type": "string",
        "maxLength": 200,
        "description": f"With the scope `key`: where the value is in the input. {PATH_RULE}"
        " May be omitted if the kind declares one.",
    },
    "key": {
        "type": "string",
        "maxLength": 1_000,
        "description": "With the scope `key`: the one value for which this limit is an exception.",
    },
    "ordered": {
        "type": "boolean",
        "description": "Of a kind or each key: whether tasks run one after another in the order of"
        " their submission, each until it has ended, also with its retries. Cannot be changed.",
    },
}

NEW_LIMIT = Body(
    {
        "type": "object",
        "properties": _PLACE | _VALUES,
        "required": ["scope"],
        "additionalProperties": False,
    }
)
LIMIT_CHANGES = Body(
    {
        "type": "object",
        "properties": _VALUES,
        "minProperties": 1,
        "additionalProperties": False,
    }
)

NEW_EXAMPLES = [
    OpenApiExample(
        "Five summaries at once",
        value={"scope": "kind", "name": "text.summarize", "concurrent": 5},
        request_only=True,
    ),
    OpenApiExample(
        "Two tasks at once and a hundred a minute for each owner",
        value={"scope": "owner", "concurrent": 2, "rate": "100/m", "burst": 10},
        request_only=True,
    ),
    OpenApiExample(
        "One message at once in each conversation",
        value={
            "scope": "key",
            "name": "conversation.message",
            "by": "conversation_id",
            "concurrent": 1,
        },
        request_only=True,
    ),
    OpenApiExample(
        "The events of each account one after another",
        value={"scope": "key", "name": "text.analyze", "by": "account", "ordered": True},
        request_only=True,
    ),
]
CHANGE_EXAMPLES = [
    OpenApiExample("Allow more", value={"concurrent": 20}, request_only=True),
    OpenApiExample(
        "Let nothing start",
        value={"paused": True, "paused_reason": "Their server is down."},
        request_only=True,
    ),
]


class LimitValueSerializer(serializers.Serializer[Any]):
    """The use of a limit by one owner or one value."""

    key = serializers.CharField(help_text="The value, or the owner's name.")
    running = serializers.IntegerField()
    is_full = serializers.BooleanField(help_text="Whether tasks wait for this value.")


class LimitLinksSerializer(serializers.Serializer[Any]):
    """Related resources, as paths on this server."""

    self = serializers.CharField()


class LimitSerializer(serializers.Serializer[Any]):
    """A limit: how many tasks run at once, and how many start in a period."""

    limit_id = serializers.UUIDField()
    scope = serializers.ChoiceField(choices=Scope.choices)
    name = serializers.CharField(
        help_text="The queue, the kind or the owner; empty for each owner."
    )
    by = serializers.CharField(allow_null=True, help_text="Where the value is in the input.")
    key = serializers.CharField(
        allow_null=True, help_text="The value for which this is an exception."
    )
    concurrent = serializers.IntegerField(
        allow_null=True, help_text="Null for no bound; of an exception, for that of all others."
    )
    rate = serializers.CharField(allow_null=True)
    burst = serializers.IntegerField(allow_null=True)
    ordered = serializers.BooleanField(
        help_text="Whether tasks run one after another in the order of their submission."
    )
    paused = serializers.BooleanField()
    paused_reason = serializers.CharField()
    paused_by = serializers.CharField()
    paused_at = serializers.DateTimeField(allow_null=True)
    declared = serializers.BooleanField(help_text="Whether the kind's code has this limit.")
    applies_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when every task counts; null while those that are older are being added.",
    )
    running = serializers.IntegerField(
        help_text="Tasks that run, or can be claimed at once; of an ordered limit, that have begun."
    )
    blocked = serializers.IntegerField(
        help_text=f"Tasks that wait for this or another limit, counted up to {BLOCKED_LIMIT}."
    )
    links = LimitLinksSerializer()


class LimitDetailSerializer(LimitSerializer):
    """A limit with the values that use it most."""

    values = LimitValueSerializer(
        many=True,
        help_text="Of a limit that counts each owner or value apart: first those that are full.",
    )


class LimitPageSerializer(serializers.Serializer[Any]):
    """A page of limits."""

    next = serializers.CharField(allow_null=True, help_text="A path on this server.")
    previous = serializers.CharField(allow_null=True, help_text="A path on this server.")
    results = LimitSerializer(many=True)


def limit_document(limit: Limit, *, usage: Usage, owner: str = "") -> dict[str, Any]:
    """Return everything about one limit; `owner` is the name of an exception's owner."""
    is_of_owner = limit.scope == Scope.OWNER
    return {
        "limit_id": limit.pk,
        "scope": limit.scope,
        "name": owner if is_of_owner else limit.name,
        "by": limit.path or None,
        "key": limit.value if limit.parent_id and not is_of_owner else None,
        "concurrent": limit.concurrent,
        "rate": str(limit.per_period) if limit.per_period else None,
        "burst": limit.burst,
        "ordered": limit.ordered,
        "paused": limit.paused,
        "paused_reason": limit.paused_reason,
        "paused_by": limit.paused_by,
        "paused_at": limit.paused_at,
        "declared": limit.declared is not None,
        "applies_at": limit.applies_at,
        "running": usage.running,
        "blocked": usage.blocked,
        "links": {"self": path_to("api:limit", limit.pk)},
    }


def value_document(value: ValueUsage, *, owners: dict[str, str]) -> dict[str, Any]:
    """Return the use by one value; `owners` has the names of owners by their ids."""
    return {
        "key": owners.get(value.value, value.value),
        "running": value.running,
        "is_full": value.is_full,
    }
