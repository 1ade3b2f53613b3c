from __future__ import annotations

from io import StringIO
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from tasks.api import problems
from tasks.api.problems import ProblemType
from tests.api.described import openapi

pytestmark = pytest.mark.django_db


def test_the_openapi_document_is_valid_and_made_without_warnings() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())


@pytest.mark.parametrize("path", ["/api/schema/", "/api/schema"])
def test_the_openapi_document_is_served_as_json_and_yaml(api: APIClient, path: str) -> None:
    response = api.get(path, headers={"Accept": "application/json"})
    document = orjson.loads(response.content)
    assert document["openapi"].startswith("3.1")
    assert "apiKey" in document["components"]["securitySchemes"]
    assert api.get(path)["Content-Type"].startswith("application/vnd.oai.openapi")


def test_each_route_is_documented_once_in_its_specified_spelling() -> None:
    assert set(openapi()["paths"]) == {
        "/api/v1/tasks/", "/api/v1/tasks/{task_id}", "/api/v1/tasks/{task_id}/retry",
        "/api/v1/tasks/{task_id}/cancel", "/api/v1/tasks/requeue-orphaned",
        "/api/v1/tasks/batch/", "/api/v1/batches/{batch_id}",
        "/api/v1/batches/{batch_id}/tasks/", "/api/v1/batches/{batch_id}/close",
        "/api/v1/batches/{batch_id}/cancel", "/api/v1/batches/{batch_id}/retry",
        "/api/v1/workflows/", "/api/v1/workflows/{workflow_id}",
        "/api/v1/workflows/{workflow_id}/cancel", "/api/v1/workflows/{workflow_id}/retry",
        "/api/v1/queues/status", "/api/v1/queues/dlq", "/api/v1/queues/dlq/retry",
        "/api/v1/queues/dlq/purge", "/api/v1/queues/{name}/pause",
        "/api/v1/queues/{name}/resume", "/api/v1/kinds/", "/api/v1/kinds/{name}",
        "/metrics", "/health", "/health/live", "/health/ready", "/health/workers",
        "/health/workers/reset-circuit-breaker", "/health/workers/diagnostics",
        "/api/v1/tasks/summarize/",
        "/v1/tasks", "/v1/tasks/{task_id}",
        "/process", "/results/{task_id}", "/tasks", "/tasks/{task_id}", "/api/v1/vectors/search",
        "/api/v1/callbacks/secrets",
        "/conversations/message", "/conversations/webhook-interaction",
        "/conversations/tasks/{task_id}/status", "/conversations/tasks/{task_id}/cancel",
        "/conversations/tasks/queues/status", "/conversations/tasks/active",
        "/conversations/webhooks/facebook", "/conversations/webhooks/google",
        "/conversations/webhooks/generic",
        "/api/v1/limits/", "/api/v1/limits/{limit_id}",
        "/api/v1/schedules/", "/api/v1/schedules/{schedule_id}",
        "/api/v1/schedules/{schedule_id}/enable", "/api/v1/schedules/{schedule_id}/disable",
        "/api/v1/schedules/{schedule_id}/run", "/api/v1/schedules/{schedule_id}/runs",
        "/api/v1/alerts/", "/api/v1/alerts/{alert_id}", "/api/v1/alerts/{alert_id}/acknowledge",
        "/api/v1/alerts/secrets", "/api/v1/alerts/rules/", "/api/v1/alerts/rules/{rule_id}",
        "/api/v1/alerts/rules/{rule_id}/mute", "/api/v1/alerts/rules/{rule_id}/unmute",
    }  # fmt: skip


def test_every_route_is_served_with_and_without_a_trailing_slash() -> None:
    routes = set()
    for included in get_resolver().url_patterns:
        if isinstance(included, URLResolver) and included.app_name in ("api", "analysis"):
            patterns = included.url_patterns
            routes |= {str(route.pattern) for route in patterns if isinstance(route, URLPattern)}
    assert routes
    assert {route.rstrip("/") for route in routes} == {
        route.rstrip("/") for route in routes if route.endswith("/")
    }
    assert len(routes) == 2 * len({route.rstrip("/") for route in routes})


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_swagger_ui_runs_without_inline_scripts(api: APIClient, path: str) -> None:
    page = api.get(path)
    assert page.status_code == 200
    assert "<script>" not in page.content.decode()
    script = api.get(path, {"script": ""})
    assert "/api/schema/" in script.content.decode()
    assert script["Content-Type"].startswith("application/javascript")


def test_the_documentation_needs_no_key(api: APIClient, settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    for path in ("/api/schema/", "/docs", "/problems/not-found"):
        assert api.get(path).status_code == 200


def test_every_type_of_problem_is_explained_at_its_uri(api: APIClient) -> None:
    types = [value for value in vars(problems).values() if isinstance(value, ProblemType)]
    assert types
    for problem_type in types:
        shown = api.get(problem_type.uri).json()
        assert shown == {
            "type": problem_type.uri,
            "title": problem_type.title,
            "status": problem_type.status,
        }
    assert api.get("/problems/unknown").status_code == 404
