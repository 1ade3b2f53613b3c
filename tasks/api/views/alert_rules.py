"""Rules of alerts: for operators only, since they concern all owners."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import alerts, rfc3339, sql
from tasks.api.list_parameters import PAGING_PARAMETERS
from tasks.api.no_choice import require_no_choice
from tasks.api.pagination import PAGING, TaskPages
from tasks.api.permissions import IsOperator
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.shapes.alerts import (
    MUTE,
    MUTE_EXAMPLES,
    NEW_RULE,
    RULE_CHANGES,
    RULE_EXAMPLES,
    RulePageSerializer,
    RuleSerializer,
    rule_document,
)
from tasks.api.shapes.links import path_to
from tasks.errors import FieldError, InvalidInput
from tasks.models import AlertRule


class RulesView(APIView):
    """`/api/v1/alerts/rules/`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alert_rules_list",
        summary="List the rules of alerts, newest first",
        tags=["alerts"],
        parameters=PAGING_PARAMETERS,
        responses={200: RulePageSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Return a page of all rules."""
        query_values(request.query_params, names=PAGING)
        pages = TaskPages()
        page = pages.paginate_queryset(AlertRule.objects.all(), request, self) or []
        return pages.get_paginated_response([rule_document(rule) for rule in page])

    @extend_schema(
        operation_id="alert_rules_create",
        summary="Create a rule",
        tags=["alerts"],
        request={"application/json": NEW_RULE.schema},
        examples=RULE_EXAMPLES,
        parameters=[OpenApiParameter("Location", str, "header", response=[201])],
        responses={201: RuleSerializer, **refusals(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        """Create a rule; it is evaluated every few seconds from then on."""
        rule = alerts.create(**NEW_RULE.check(request.data))
        return Response(
            rule_document(rule),
            status=status.HTTP_201_CREATED,
            headers={"Location": path_to("api:alert_rule", rule.id)},
        )


class RuleView(APIView):
    """`/api/v1/alerts/rules/{rule_id}`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alert_rules_get",
        summary="Get a rule",
        tags=["alerts"],
        responses={200: RuleSerializer, **refusals(404)},
    )
    def get(self, request: Request, rule_id: uuid.UUID) -> Response:
        """Return all details of a rule, including its last evaluation."""
        return Response(rule_document(_rule(rule_id)))

    @extend_schema(
        operation_id="alert_rules_change",
        summary="Change a rule",
        tags=["alerts"],
        request={"application/json": RULE_CHANGES.schema},
        responses={200: RuleSerializer, **refusals(400, 404, 413, 415)},
    )
    def patch(self, request: Request, rule_id: uuid.UUID) -> Response:
        """Change only the given fields; the open alerts of a rule that is disabled close."""
        changes = RULE_CHANGES.check(request.data)
        return Response(rule_document(alerts.change(_rule(rule_id), **changes)))

    @extend_schema(
        operation_id="alert_rules_delete",
        summary="Delete a rule",
        tags=["alerts"],
        responses={204: None, **refusals(404)},
    )
    def delete(self, request: Request, rule_id: uuid.UUID) -> Response:
        """Delete a rule; its open alerts close, and all of them stay in the history."""
        alerts.remove(_rule(rule_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MuteView(APIView):
    """`/api/v1/alerts/rules/{rule_id}/mute`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alert_rules_mute",
        summary="Mute a rule",
        tags=["alerts"],
        request={"application/json": MUTE.schema},
        examples=MUTE_EXAMPLES,
        responses={200: RuleSerializer, **refusals(400, 404, 413, 415)},
    )
    def post(self, request: Request, rule_id: uuid.UUID) -> Response:
        """Report no alert that opens, until a time or for some seconds.

        An alert that is still open then is reported then.
        """
        until = _end_of_mute(MUTE.check(request.data))
        return Response(rule_document(alerts.mute(_rule(rule_id), until=until)))


class UnmuteView(APIView):
    """`/api/v1/alerts/rules/{rule_id}/unmute`"""

    permission_classes = [IsOperator]

    @extend_schema(
        operation_id="alert_rules_unmute",
        summary="Unmute a rule",
        tags=["alerts"],
        request=None,
        responses={200: RuleSerializer, **refusals(400, 404)},
    )
    def post(self, request: Request, rule_id: uuid.UUID) -> Response:
        """Report alerts again, also those that have opened meanwhile and are open."""
        require_no_choice(request)
        return Response(rule_document(alerts.unmute(_rule(rule_id))))


def _end_of_mute(body: dict[str, Any]) -> dt.datetime:
    if "seconds" in body:
        return sql.database_now() + dt.timedelta(seconds=body["seconds"])
    try:
        return rfc3339.parse(body["until"])
    except rfc3339.InvalidDateTime as error:
        raise InvalidInput([FieldError("until", str(error))]) from None


def _rule(rule_id: uuid.UUID) -> AlertRule:
    return get_object_or_404(AlertRule, pk=rule_id)
