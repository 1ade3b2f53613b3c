"""Checks of responses against the OpenAPI document."""

from __future__ import annotations

import functools
import re
from typing import Any

import jsonschema_rs
import orjson
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient


@functools.cache
def openapi() -> dict[str, Any]:
    """Return the document with closed objects, so that undescribed fields are errors."""
    document: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    for component in document["components"]["schemas"].values():
        if "properties" in component:
            component.setdefault("additionalProperties", False)
    plain: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return plain


def described(response: Any) -> Any:
    """Return the body of a response; fail unless it matches the schema of its route and status."""
    route = response.wsgi_request.resolver_match.route
    spelling = "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route)
    method = response.wsgi_request.method.lower()
    responses = openapi()["paths"][spelling][method]["responses"]
    body = orjson.loads(response.content)
    media_type = response.headers["Content-Type"]
    schema = responses[str(response.status_code)]["content"][media_type]["schema"]
    validator = jsonschema_rs.validator_for({**schema, "components": openapi()["components"]})
    errors = [(error.instance_path, error.message) for error in validator.iter_errors(body)]
    assert not errors, errors
    return body


def fields(response: Any) -> dict[str, str]:
    """Return the message for each invalid field of a 400."""
    assert response.status_code == 400, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    errors = orjson.loads(response.content)["errors"]
    return {error["field"]: error["message"] for error in errors}


def post(api: APIClient, path: str, body: Any = None) -> Any:
    """Post JSON, or no body."""
    text = "" if body is None else orjson.dumps(body).decode()
    return api.post(path, text, content_type="application/json")


def is_conflict(response: Any, status: str) -> bool:
    """Return whether an action was refused because the task has this status."""
    problem = described(response)
    assert problem["type"] == "/problems/wrong-status"
    return response.status_code == 409 and status in problem["detail"]
