"""Health: this process, the database and the workers."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import stats
from tasks.api.permissions import IsOperatorOrOpen
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.responses import OpenView
from tasks.api.shapes.health import (
    ALIVE,
    AliveSerializer,
    DiagnosticsSerializer,
    HealthSerializer,
    ReadySerializer,
    WorkersSerializer,
)
from tasks.api.views.breakers import breaker_documents
from tasks.postgres.failures import is_outage_or_may_pass
from tasks.postgres.migrations import MigrationsMissing, require_migrations
from tasks.stats.diagnostics import worker_diagnostics


class HealthView(OpenView):
    """`/health`"""

    @extend_schema(
        operation_id="health",
        summary="Get the health of the system",
        tags=["health"],
        responses={200: HealthSerializer, 503: HealthSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return 503 if the database cannot be used. Without workers, tasks are still accepted."""
        try:
            workers = stats.worker_counts()
            queue = {"waiting": stats.waiting()}
        except (DatabaseError, InterfaceError) as error:
            unknown = {"database": _state(error), "queue": None, "workers": None}
            return _unavailable({"status": "unhealthy", **unknown})
        health = "healthy" if workers[stats.Liveness.ALIVE] else "degraded"
        return Response({"status": health, "database": "ok", "queue": queue, "workers": workers})


class LiveView(OpenView):
    """`/health/live`"""

    @extend_schema(
        operation_id="health_live",
        summary="Check whether this process responds",
        tags=["health"],
        responses={200: AliveSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return 200 even if the database is unreachable; the gateway answers before Django."""
        return Response(ALIVE)


class ReadyView(OpenView):
    """`/health/ready`"""

    @extend_schema(
        operation_id="health_ready",
        summary="Check whether this process can serve requests",
        tags=["health"],
        responses={200: ReadySerializer, 503: ReadySerializer},
    )
    def get(self, request: Request) -> Response:
        """Return 200 if the database is reachable and all migrations are applied, otherwise 503."""
        try:
            connection.ensure_connection()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            require_migrations()
        except MigrationsMissing:
            return _unavailable({"status": "not ready", "database": "ok", "migrations": "missing"})
        except (DatabaseError, InterfaceError) as error:
            return _unavailable(
                {"status": "not ready", "database": _state(error), "migrations": "unknown"}
            )
        return Response({"status": "ready", "database": "ok", "migrations": "applied"})


class WorkersView(APIView):
    """`/health/workers`"""

    @extend_schema(
        operation_id="health_workers",
        summary="List workers and circuit breakers",
        tags=["health"],
        responses={200: WorkersSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return all worker processes, including recently dead ones, and all circuit breakers."""
        query_values(request.query_params)
        workers = [
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
        return Response({"workers": workers, "circuit_breakers": breaker_documents()})


class DiagnosticsView(APIView):
    """`/health/workers/diagnostics`"""

    permission_classes = (IsOperatorOrOpen,)

    @extend_schema(
        operation_id="health_workers_diagnostics",
        summary="Get details for diagnosing the workers",
        tags=["health"],
        responses={200: DiagnosticsSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return each worker's memory and tasks, the longest-running tasks, and versions."""
        query_values(request.query_params)
        return Response(worker_diagnostics())


def _state(error: Exception) -> str:
    """Return what is wrong with a database; one that answers is there, but not migrated."""
    return "unreachable" if is_outage_or_may_pass(error) else "unusable"


def _unavailable(document: dict[str, Any]) -> Response:
    return Response(document, status=status.HTTP_503_SERVICE_UNAVAILABLE)
