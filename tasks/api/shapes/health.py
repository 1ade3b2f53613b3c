"""Health, workers and circuit breakers as the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.stats import Liveness


class AliveSerializer(serializers.Serializer[Any]):
    """The process answers."""

    status = serializers.ChoiceField(["ok"])


class ReadySerializer(serializers.Serializer[Any]):
    """Whether requests can be served."""

    status = serializers.ChoiceField(["ready", "not ready"])
    database = serializers.ChoiceField(["ok", "unreachable"])
    migrations = serializers.ChoiceField(["applied", "missing", "unknown"])


class QueueHealthSerializer(serializers.Serializer[Any]):
    """What waits."""

    waiting = serializers.IntegerField(help_text="Due tasks, counted up to 1,000.")


class WorkersHealthSerializer(serializers.Serializer[Any]):
    """How many worker processes are in which state."""

    alive = serializers.IntegerField()
    draining = serializers.IntegerField()
    dead = serializers.IntegerField()


class HealthSerializer(serializers.Serializer[Any]):
    """The whole system at a glance."""

    status = serializers.ChoiceField(
        ["healthy", "degraded", "unhealthy"], help_text="Degraded: no worker is alive."
    )
    database = serializers.ChoiceField(["ok", "unreachable"])
    queue = QueueHealthSerializer(allow_null=True)
    workers = WorkersHealthSerializer(allow_null=True)


class WorkerSerializer(serializers.Serializer[Any]):
    """One worker process."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    queues = serializers.ListField(child=serializers.CharField(), help_text="Empty: every queue.")
    concurrency = serializers.IntegerField()
    running = serializers.IntegerField()
    processed = serializers.IntegerField()
    failed = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    last_heartbeat = serializers.DateTimeField()
    state = serializers.ChoiceField(Liveness.choices)


class CircuitBreakerSerializer(serializers.Serializer[Any]):
    """The circuit to one service outside."""

    state = serializers.ChoiceField(["closed", "open", "half-open"])
    failures = serializers.IntegerField(help_text="In a row.")
    retry_at = serializers.DateTimeField(
        allow_null=True, help_text="From when one call tries the service again."
    )
    last_error = serializers.CharField(allow_blank=True)
    last_failure_at = serializers.DateTimeField(allow_null=True)


class CircuitBreakersSerializer(serializers.Serializer[Any]):
    """Which circuit breakers were reset, and how all are."""

    reset = serializers.ListField(child=serializers.CharField())
    circuit_breakers = serializers.DictField(child=CircuitBreakerSerializer())


class WorkersSerializer(serializers.Serializer[Any]):
    """Every worker process, and the circuit breakers they share."""

    workers = WorkerSerializer(many=True)
    circuit_breakers = serializers.DictField(child=CircuitBreakerSerializer())


class WorkerDiagnosisSerializer(serializers.Serializer[Any]):
    """One worker process, and what it runs."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(Liveness.choices)
    uptime = serializers.FloatField(help_text="Seconds.")
    memory_kib = serializers.IntegerField(
        help_text="Of the process without its children; 0 until its first heartbeat."
    )
    running_tasks = serializers.ListField(child=serializers.UUIDField())


class SlowTaskSerializer(serializers.Serializer[Any]):
    """A task that runs for long."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    attempt = serializers.IntegerField()
    worker = serializers.CharField()
    seconds = serializers.FloatField()


class SessionsSerializer(serializers.Serializer[Any]):
    """How many sessions of one application are in one state."""

    application = serializers.CharField()
    state = serializers.CharField()
    count = serializers.IntegerField()


class DatabaseDiagnosisSerializer(serializers.Serializer[Any]):
    """The database server, and who is connected to it."""

    version = serializers.CharField()
    max_connections = serializers.IntegerField()
    sessions = SessionsSerializer(many=True)


class DiagnosticsSerializer(serializers.Serializer[Any]):
    """What an operator wants to know of workers that behave oddly."""

    workers = WorkerDiagnosisSerializer(many=True)
    slow_tasks = SlowTaskSerializer(many=True, help_text="The longest runs, at most 20.")
    database = DatabaseDiagnosisSerializer()
    versions = serializers.DictField(child=serializers.CharField())
    timestamp = serializers.DateTimeField()
