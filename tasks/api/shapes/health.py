"""Wire format of health, workers and circuit breakers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tasks.stats import Liveness
from tasks.stats.findings import Level
from tasks.stats.health import DatabaseState

# The answer of a process that responds.
ALIVE = {"status": "ok"}
_DATABASE = "`unusable` if it answers and refuses a query, as before `manage.py migrate`."
_CHECKS = "The checks by name: `docs/operate/health.md` says what each of them finds."


class AliveSerializer(serializers.Serializer[Any]):
    """The process responds."""

    status = serializers.ChoiceField(["ok"])


class FindingSerializer(serializers.Serializer[Any]):
    """What one check has found."""

    status = serializers.ChoiceField(
        Level.choices,
        help_text="`warning` needs no action at once, `unknown`: the check got no answer.",
    )
    message = serializers.CharField()


class NamedFindingSerializer(FindingSerializer):
    """What one check has found, and where."""

    names = serializers.ListField(
        child=serializers.CharField(), help_text="Queues, or kinds and their queues; at most 20."
    )


class ReadySerializer(serializers.Serializer[Any]):
    """Whether this process can serve requests."""

    status = serializers.ChoiceField(["ready", "not ready"])
    database = serializers.ChoiceField(DatabaseState.choices, help_text=_DATABASE)
    migrations = serializers.ChoiceField(["applied", "missing", "unknown"])
    checks = serializers.DictField(
        child=FindingSerializer(), help_text=f"Only those that requests need. {_CHECKS}"
    )


class QueueHealthSerializer(serializers.Serializer[Any]):
    """The number of waiting tasks."""

    waiting = serializers.IntegerField(help_text="Number of due tasks; counting stops at 1,000.")


class WorkersHealthSerializer(serializers.Serializer[Any]):
    """The number of worker processes in each state."""

    alive = serializers.IntegerField()
    draining = serializers.IntegerField()
    dead = serializers.IntegerField()


class HealthSerializer(serializers.Serializer[Any]):
    """The health of the whole system."""

    status = serializers.ChoiceField(
        ["healthy", "degraded", "unhealthy"],
        help_text="`unhealthy` if a check failed, `degraded` if one has a warning or no answer.",
    )
    database = serializers.ChoiceField(DatabaseState.choices, help_text=_DATABASE)
    queue = QueueHealthSerializer(allow_null=True)
    workers = WorkersHealthSerializer(allow_null=True)
    checks = serializers.DictField(child=FindingSerializer(), help_text=_CHECKS)


class WorkerSerializer(serializers.Serializer[Any]):
    """One worker process."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    queues = serializers.ListField(
        child=serializers.CharField(), help_text="An empty list means all queues."
    )
    concurrency = serializers.IntegerField()
    running = serializers.IntegerField(
        help_text="Tasks that it has claimed; those of all workers have the status PROCESSING."
    )
    processed = serializers.IntegerField()
    failed = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    last_heartbeat = serializers.DateTimeField()
    state = serializers.ChoiceField(Liveness.choices)


class CircuitBreakerSerializer(serializers.Serializer[Any]):
    """The circuit breaker of one external service."""

    state = serializers.ChoiceField(["closed", "open", "half-open"])
    failures = serializers.IntegerField(help_text="Number of consecutive failures.")
    retry_at = serializers.DateTimeField(
        allow_null=True, help_text="The time from which one call may try the service again."
    )
    last_error = serializers.CharField(allow_blank=True)
    last_failure_at = serializers.DateTimeField(allow_null=True)


class CircuitBreakersSerializer(serializers.Serializer[Any]):
    """The names of the circuit breakers that were reset, and the state of all."""

    reset = serializers.ListField(child=serializers.CharField())
    circuit_breakers = serializers.DictField(child=CircuitBreakerSerializer())


class WorkersSerializer(serializers.Serializer[Any]):
    """All worker processes, and the circuit breakers that they share."""

    workers = WorkerSerializer(many=True)
    circuit_breakers = serializers.DictField(child=CircuitBreakerSerializer())


class WorkerDiagnosisSerializer(serializers.Serializer[Any]):
    """One worker process, and the tasks that it runs."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(Liveness.choices)
    uptime = serializers.FloatField(help_text="Seconds.")
    memory_kib = serializers.IntegerField(
        help_text="Memory of the process without its children; 0 until its first heartbeat."
    )
    running_tasks = serializers.ListField(child=serializers.UUIDField())


class SlowTaskSerializer(serializers.Serializer[Any]):
    """A task that has been running for long."""

    task_id = serializers.UUIDField()
    kind = serializers.CharField()
    attempt = serializers.IntegerField()
    worker = serializers.CharField()
    seconds = serializers.FloatField()


class SessionsSerializer(serializers.Serializer[Any]):
    """The number of database sessions of one application in one state."""

    application = serializers.CharField()
    state = serializers.CharField()
    count = serializers.IntegerField()


class DatabaseDiagnosisSerializer(serializers.Serializer[Any]):
    """The database server and its sessions."""

    version = serializers.CharField()
    max_connections = serializers.IntegerField()
    sessions = SessionsSerializer(many=True)


class DiagnosticsSerializer(serializers.Serializer[Any]):
    """Details for finding out why workers misbehave."""

    workers = WorkerDiagnosisSerializer(many=True)
    checks = serializers.DictField(child=NamedFindingSerializer(), help_text=_CHECKS)
    slow_tasks = SlowTaskSerializer(many=True, help_text="The longest-running tasks, at most 20.")
    database = DatabaseDiagnosisSerializer()
    versions = serializers.DictField(child=serializers.CharField())
    timestamp = serializers.DateTimeField()
