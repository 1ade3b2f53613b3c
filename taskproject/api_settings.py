"""Settings of the API's frameworks, the same in each installation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from taskproject.version import VERSION

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # First: a 401 response has its challenge.
        "tasks.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tasks.api.permissions.MayUseApi"],
    "DEFAULT_PARSER_CLASSES": [
        "tasks.api.parsers.StrictJSONParser",
        "tasks.api.parsers.MislabelledJSONParser",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tasks.api.negotiation.JSONNegotiation",
    "DEFAULT_METADATA_CLASS": "tasks.api.options.NoMetadata",
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_RENDERER_CLASSES": ["tasks.api.renderers.OrjsonRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tasks.api.problems.handler.problem_handler",
}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": None, "TOKEN_PREFIX": "task_"}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Tasks",
    "DESCRIPTION": "Long-running work behind an HTTP API, on nothing but PostgreSQL.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    # Relative: the server that serves the document.
    "SERVERS": [{"url": "/"}],
    "PATH_CONVERTER_OVERRIDES": {"anycase_uuid": UUID},
    "PREPROCESSING_HOOKS": ["tasks.api.routes.document_once"],
    "ENUM_NAME_OVERRIDES": {
        "TaskStatus": "tasks.models.Status",
        "TaskLane": "tasks.models.Lane",
        "AlertCondition": "tasks.models.Condition",
        "BatchStatus": "tasks.stats.BatchStatus",
        "OnFailure": "tasks.models.batch.OnFailure",
        "AttemptOutcome": "tasks.models.Outcome",
        "WorkerState": "tasks.stats.Liveness",
        "CheckStatus": "tasks.stats.findings.Level",
        "CeleryState": "analysis.celery_states.CELERY_STATES",
    },
    "PARSER_WHITELIST": ["tasks.api.parsers.StrictJSONParser"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
