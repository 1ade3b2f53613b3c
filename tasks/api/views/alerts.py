"""Alerts: for operators only, since they concern all owners."""

from __future__ import annotations

import uuid

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import alerts
from tasks.api.filters import StrictFilterSet
from tasks.api.list_parameters import list_parameters
from tasks.api.no_choice import require_no_choice
from tasks.api.pagination import TaskPages
from tasks.api.permissions import IsOperator
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.shapes.alerts import AlertPageSerializer, AlertSerializer, alert_document
from tasks.api.views.callbacks import CallbackSecretsSerializer
from tasks.callbacks.signing import alert_secrets
from tasks.models import Alert


class AlertFilters(StrictFilterSet):
    """The filters of the list of alerts."""

    state = django_filters.ChoiceFilter(
        choices=[("open", "Open"), ("closed", "Closed")], method="in_state"
    )
    rule = django_filters.UUIDFilter()

    class Meta:
        model = Alert
        fields: list[str] = []

    def in_state(self, rows: QuerySet[Alert], name: str, state: str) -> QuerySet[Alert]:
        """Return the alerts that are open, or those that are closed."""
        return rows.filter(closed_at__isnull=state == "open")


class AlertsView(APIView):
    """`/api/v1/alerts/`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alerts_list",
        summary="List alerts, newest first",
        tags=["alerts"],
        parameters=list_parameters(AlertFilters),
        responses={200: AlertPageSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return a page of the alerts that have opened, closed ones included."""
        rows = AlertFilters.apply_query(request.query_params, Alert.objects.opened())
        pages = TaskPages()
        page = pages.paginate_queryset(rows, request, self) or []
        return pages.get_paginated_response([alert_document(alert) for alert in page])


class AlertView(APIView):
    """`/api/v1/alerts/{alert_id}`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alerts_get",
        summary="Get an alert",
        tags=["alerts"],
        responses={200: AlertSerializer, **refusals(404)},
    )
    def get(self, request: Request, alert_id: uuid.UUID) -> Response:
        """Return all details of an alert."""
        return Response(alert_document(_alert(alert_id)))


class AcknowledgeView(APIView):
    """`/api/v1/alerts/{alert_id}/acknowledge`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alerts_acknowledge",
        summary="Acknowledge an alert",
        tags=["alerts"],
        request=None,
        responses={200: AlertSerializer, **refusals(400, 404)},
    )
    def post(self, request: Request, alert_id: uuid.UUID) -> Response:
        """Note that the caller takes care of an alert; the first name stays."""
        require_no_choice(request)
        acknowledged = alerts.acknowledge(_alert(alert_id), name=request.user.get_username())
        return Response(alert_document(acknowledged))


class AlertSecretsView(APIView):
    """`/api/v1/alerts/secrets`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alerts_secrets",
        summary="Get the secrets that sign messages to webhooks",
        tags=["alerts"],
        responses={200: CallbackSecretsSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return the secrets with which receivers verify messages about alerts."""
        query_values(request.query_params)
        return Response({"secrets": alert_secrets()}, headers={"Cache-Control": "no-store"})


def _alert(alert_id: uuid.UUID) -> Alert:
    return get_object_or_404(Alert.objects.opened(), pk=alert_id)
