"""Holding answers against the OpenAPI document."""

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
    """Return the document, with objects closed: what is not described must not be answered."""
    document: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    for component in document["components"]["schemas"].values():
        if "properties" in component:
            component.setdefault("additionalProperties", False)
    stored: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return stored


def described(response: Any) -> Any:
    """Return the body of an answer; fail unless it is described for its route and status."""
    route = response.wsgi_request.resolver_match.route
    spelling = "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route)
    method = response.wsgi_request.method.lower()
    answers = openapi()["paths"][spelling][method]["responses"]
    body = orjson.loads(response.content)
    media_type = response.headers["Content-Type"]
    schema = answers[str(response.status_code)]["content"][media_type]["schema"]
    validator = jsonschema_rs.validator_for({**schema, "components": openapi()["components"]})
    wrong = [(error.instance_path, error.message) for error in validator.iter_errors(body)]
    assert not wrong, wrong
    return body


def fields(response: Any) -> dict[str, str]:
    """Return what a refusal says of each field."""
    assert response.status_code == 400, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    return {one["field"]: one["message"] for one in orjson.loads(response.content)["errors"]}


def post(api: APIClient, path: str, body: Any = None) -> Any:
    """Post JSON."""
    return api.post(path, orjson.dumps(body).decode(), content_type="application/json")


def is_conflict(response: Any, status: str) -> bool:
    """Tell whether something was refused because the task has this status."""
    problem = described(response)
    assert problem["type"] == "/problems/wrong-status"
    return response.status_code == 409 and status in problem["detail"]
