"""Health: this process, the database and the workers."""

from __future__ import annotations

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
from tasks.stats.diagnostics import worker_diagnostics
from tasks.stats.findings import Level
from tasks.stats.health import DatabaseState, Health, check_health, check_readiness

_UNAVAILABLE = status.HTTP_503_SERVICE_UNAVAILABLE


class HealthView(OpenView):
    """`/health`"""

    @extend_schema(
        operation_id="health",
        summary="Get the health of the system",
        tags=["health"],
        responses={200: HealthSerializer, 503: HealthSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return 503 if a check fails: requests fail, or accepted tasks are not run."""
        health = check_health()
        queue = None if health.waiting is None else {"waiting": health.waiting}
        document = {
            "status": health.status,
            "database": health.database,
            "queue": queue,
            "workers": health.workers,
            "checks": _checks(health),
        }
        is_unhealthy = health.status == "unhealthy"
        return Response(document, status=_UNAVAILABLE if is_unhealthy else status.HTTP_200_OK)


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
        """Return 200 if this process can serve requests, whatever the workers do, otherwise 503."""
        health = check_readiness()
        document = {
            "status": "ready" if health.is_ready else "not ready",
            "database": health.database,
            "migrations": _migrations(health),
            "checks": _checks(health),
        }
        return Response(document, status=status.HTTP_200_OK if health.is_ready else _UNAVAILABLE)


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
                "running": worker.processing,
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


def _migrations(health: Health) -> str:
    """Return whether the migrations are applied, or that the database does not say."""
    level = health.findings["migrations"].level
    if level == Level.OK:
        return "applied"
    is_refused = health.database == DatabaseState.UNUSABLE
    return "missing" if level == Level.FAILED and not is_refused else "unknown"


def _checks(health: Health) -> dict[str, dict[str, str]]:
    """Return the findings without names: everybody may read them."""
    return {
        name: {"status": finding.level, "message": finding.message}
        for name, finding in health.findings.items()
    }
