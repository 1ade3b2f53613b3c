"""Whether we live, and how."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import stats
from tasks.api.permissions import IsOperatorOrOpen
from tasks.api.problems.openapi import refusals
from tasks.api.responses import OpenView
from tasks.api.shapes.health import (
    AliveSerializer,
    DiagnosticsSerializer,
    HealthSerializer,
    ReadySerializer,
    WorkersSerializer,
)
from tasks.api.views.breakers import breaker_documents
from tasks.stats.diagnostics import worker_diagnostics


class HealthView(OpenView):
    """`/health`"""

    @extend_schema(
        operation_id="health",
        summary="See how the system is",
        tags=["health"],
        responses={200: HealthSerializer, 503: HealthSerializer},
    )
    def get(self, request: Request) -> Response:
        """Answer 503 without a database; without workers tasks are still accepted."""
        try:
            workers = stats.worker_counts()
            queue = {"waiting": stats.waiting()}
        except (DatabaseError, InterfaceError):
            absent = {"database": "unreachable", "queue": None, "workers": None}
            return _unavailable({"status": "unhealthy", **absent})
        word = "healthy" if workers[stats.Liveness.ALIVE] else "degraded"
        return Response({"status": word, "database": "ok", "queue": queue, "workers": workers})


class LiveView(OpenView):
    """`/health/live`"""

    @extend_schema(
        operation_id="health_live",
        summary="See whether this process answers",
        tags=["health"],
        responses={200: AliveSerializer},
    )
    def get(self, request: Request) -> Response:
        """Answer, whatever the database does."""
        return Response({"status": "ok"})


class ReadyView(OpenView):
    """`/health/ready`"""

    @extend_schema(
        operation_id="health_ready",
        summary="See whether requests can be served",
        tags=["health"],
        responses={200: ReadySerializer, 503: ReadySerializer},
    )
    def get(self, request: Request) -> Response:
        """Answer 200 when the database is reachable and its migrations are applied."""
        try:
            connection.ensure_connection()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            require_migrations()
        except MigrationsMissing:
            return _unavailable({"status": "not ready", "database": "ok", "migrations": "missing"})
        except (DatabaseError, InterfaceError):
            return _unavailable(
                {"status": "not ready", "database": "unreachable", "migrations": "unknown"}
            )
        return Response({"status": "ready", "database": "ok", "migrations": "applied"})


class WorkersView(APIView):
    """`/health/workers`"""

    @extend_schema(
        operation_id="health_workers",
        summary="See every worker",
        tags=["health"],
        responses={200: WorkersSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """Answer every worker process, the recently dead included, and every circuit breaker."""
        seen = [
            {
                "id": worker.id,
                "name": worker.name,
                "host": worker.host,
                "pid": worker.pid,
                "queues": worker.queues,
                "concurrency": worker.concurrency,
                "running": worker.running,
                "processed": worker.processed,
                "failed": worker.failed,
                "started_at": worker.started_at,
                "last_heartbeat": worker.heartbeat_at,
                "state": worker.liveness,
            }
            for worker in stats.workers()
        ]
        return Response({"workers": seen, "circuit_breakers": breaker_documents()})


class DiagnosticsView(APIView):
    """`/health/workers/diagnostics`"""

    permission_classes = (IsOperatorOrOpen,)

    @extend_schema(
        operation_id="health_workers_diagnostics",
        summary="Diagnose the workers",
        tags=["health"],
        responses={200: DiagnosticsSerializer, **refusals()},
    )
    def get(self, request: Request) -> Response:
        """Answer memory, uptime and running tasks of each worker, the longest runs, versions."""
        return Response(worker_diagnostics())


class MigrationsMissing(Exception):
    """The database is not as this code expects it."""


@cache
def require_migrations() -> None:
    """Raise MigrationsMissing unless every migration is applied; asked no more once they are."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsMissing


def _unavailable(document: dict[str, Any]) -> Response:
    return Response(document, status=status.HTTP_503_SERVICE_UNAVAILABLE)
