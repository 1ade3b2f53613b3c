"""Circuit breakers: their state and their reset."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import circuit_breaker
from tasks.api.no_choice import require_no_choice
from tasks.api.permissions import IsOperatorOrOpen
from tasks.api.problems.openapi import refusals
from tasks.api.shapes.health import CircuitBreakersSerializer


class ResetView(APIView):
    """`/health/workers/reset-circuit-breaker`"""

    permission_classes = [IsOperatorOrOpen]

    @extend_schema(
        operation_id="health_reset_circuit_breakers",
        summary="Reset all circuit breakers",
        tags=["health"],
        request=None,
        responses={200: CircuitBreakersSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Close every circuit, so that the services are called again at once."""
        require_no_choice(request)
        return Response({"reset": circuit_breaker.reset(), "circuit_breakers": breaker_documents()})


def breaker_documents() -> dict[str, Any]:
    """Return the state of every circuit breaker by name."""
    documents = {circuit.name: asdict(circuit) for circuit in circuit_breaker.circuits()}
    for document in documents.values():
        del document["name"]
    return documents
