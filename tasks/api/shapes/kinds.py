"""Wire format of kinds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from tasks.kinds import Kind, RetryPolicy, Unique
from tasks.unique import CONFLICTS


class RetryPolicySerializer(serializers.Serializer[Any]):
    """The pauses before retries, in seconds: `delay`, doubled after each failure up to `cap`."""

    max_retries = serializers.IntegerField()
    delay = serializers.FloatField()
    cap = serializers.FloatField()


class RetryOnSerializer(RetryPolicySerializer):
    """The policy for exceptions of one class."""

    exception = serializers.CharField()


class RetrySerializer(RetryPolicySerializer):
    """How failed attempts are retried: by the policy of their exception's class, or by this one."""

    retry_on = RetryOnSerializer(
        many=True, allow_null=True, help_text="null: the kind decides for each exception."
    )
    never_on = serializers.ListField(
        child=serializers.CharField(), help_text="Exceptions after which a task fails at once."
    )


class DeclaredLimitSerializer(serializers.Serializer[Any]):
    """How many tasks may run at once, and start in a period, as the kind's code says."""

    concurrent = serializers.IntegerField(allow_null=True)
    rate = serializers.CharField(allow_null=True)
    burst = serializers.IntegerField()
    ordered = serializers.BooleanField(
        help_text="Whether tasks run one after another in the order of their submission."
    )
    key = serializers.CharField(
        allow_null=True, help_text="The field of the input of which each value counts apart."
    )


class LimitsSerializer(serializers.Serializer[Any]):
    """The longest time that an attempt may run, in seconds, and how many tasks may run."""

    soft_time_limit = serializers.FloatField()
    time_limit = serializers.FloatField()
    tasks = DeclaredLimitSerializer(
        many=True, help_text="Operators may have changed them since: see `/api/v1/limits/`."
    )


class UniqueSerializer(serializers.Serializer[Any]):
    """Of which tasks there is at most one; a submit with a `unique` of its own replaces this."""

    key = serializers.CharField(allow_null=True)
    by = serializers.ListField(child=serializers.CharField())
    on_conflict = serializers.ChoiceField(CONFLICTS)
    longest_wait = serializers.FloatField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Add the field `while`: its name is a reserved word of Python."""
        period = serializers.CharField(help_text="`waiting`, `unfinished`, or a number of seconds.")
        return {**super().get_fields(), "while": period}


class CacheSerializer(serializers.Serializer[Any]):
    """For how many seconds a result is that of every task with the same input."""

    ttl = serializers.FloatField()
    is_shared = serializers.BooleanField(help_text="Among all owners, instead of each its own.")


class KindSerializer(serializers.Serializer[Any]):
    """A kind of task that can be submitted."""

    name = serializers.CharField()
    description = serializers.CharField()
    input_schema = serializers.DictField(help_text="JSON Schema, draft 2020-12.")
    queue = serializers.CharField()
    priority = serializers.IntegerField()
    limits = LimitsSerializer()
    retry = RetrySerializer()
    unique = UniqueSerializer(allow_null=True)
    expires_in = serializers.FloatField(
        allow_null=True, help_text="Seconds after which a task that has not begun is cancelled."
    )
    cache = CacheSerializer(allow_null=True)
    retention_days = serializers.IntegerField(
        allow_null=True,
        help_text="Days for which its tasks are kept after their end, 0 for without limit; null: as"
        " the settings of the server say.",
    )
    transactional = serializers.BooleanField()


class KindsSerializer(serializers.Serializer[Any]):
    """All kinds, sorted by name."""

    kinds = KindSerializer(many=True)


def kind_document(kind: Kind) -> dict[str, Any]:
    """Return the public fields of a kind."""
    return {
        "name": kind.name,
        "description": kind.description,
        "input_schema": kind.schema,
        "queue": kind.queue,
        "priority": kind.priority,
        "limits": {
            "soft_time_limit": kind.soft_time_limit,
            "time_limit": kind.time_limit,
            "tasks": [asdict(limit) for limit in kind.limits],
        },
        "retry": {
            **_policy(kind.retry),
            "retry_on": _retry_on(kind),
            "never_on": [exception.__name__ for exception in kind.never_on],
        },
        "unique": kind.unique and _unique(kind.unique),
        "expires_in": kind.defaults.get("expires_in"),
        "cache": kind.cache and asdict(kind.cache),
        "retention_days": kind.retention_days,
        "transactional": kind.transactional,
    }


def _unique(unique: Unique) -> dict[str, Any]:
    return {
        "key": unique.key,
        "by": list(unique.by),
        "while": str(unique.while_),
        "on_conflict": unique.on_conflict,
        "longest_wait": unique.longest_wait,
    }


def _retry_on(kind: Kind) -> list[dict[str, Any]] | None:
    if callable(kind.retry_on):
        return None
    return [
        {"exception": exception.__name__, **_policy(policy)}
        for exception, policy in kind.retry_on.items()
    ]


def _policy(policy: RetryPolicy) -> dict[str, Any]:
    return {"max_retries": policy.max_retries, "delay": policy.delay, "cap": policy.cap}
