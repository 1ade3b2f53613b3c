"""Values of filters in every route: the parameters are those of the OpenAPI document."""

from __future__ import annotations

from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from tasks.models import Batch, Queue, Status, Task
from tests.api.described import fields, openapi, post
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db

QUERY = [
    (path, parameter["name"])
    for path, operations in openapi()["paths"].items()
    for parameter in operations.get("get", {}).get("parameters", ())
    if parameter["in"] == "query"
]
BODIES = [
    (path, name)
    for path in ("/api/v1/queues/dlq/retry", "/api/v1/queues/dlq/purge")
    for name in openapi()["paths"][path]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]["properties"]
]
UNUSABLE = ["", " ", "\t", "\n", "\u3000", "a\0b", "\x1b[0m", "\x85", "\ufffd"]


@pytest.fixture
def ops(api_for: Any, operator: User) -> APIClient:
    client: APIClient = api_for(operator)
    return client


def is_platforms(path: str) -> bool:
    """Return whether a platform names the parameters, which filter nothing."""
    return "/webhooks/" in path


@pytest.mark.parametrize(("path", "name"), [pair for pair in QUERY if not is_platforms(pair[0])])
def test_an_unusable_or_repeated_query_parameter_is_refused_by_name(
    ops: APIClient, path: str, name: str
) -> None:
    path = path.replace("{batch_id}", str(Batch.objects.create(total=0).pk))
    for value in UNUSABLE:
        response = ops.get(f"{path}?{name}={quote(value)}")
        assert name in fields(response), (value, response.content)
    assert name in fields(ops.get(f"{path}?{name}=%ED%A0%80"))
    assert fields(ops.get(f"{path}?{name}=1&{name}=1"))[name] == "The parameter is repeated."
    assert fields(ops.get(f"{path}?{name}x=1"))[f"{name}x"] == "There is no such parameter."


def test_lists_without_filters_refuse_misspelt_parameters(ops: APIClient) -> None:
    assert "statsu" in fields(ops.get("/api/v1/schedules/?statsu=x"))
    assert "/api/v1/schedules/" in {path for path, _ in QUERY}


@pytest.mark.parametrize(("path", "name"), BODIES)
def test_an_unusable_filter_in_a_body_moves_nothing(ops: APIClient, path: str, name: str) -> None:
    task = make_task(Status.FAILED)
    values: list[Any] = [*UNUSABLE, "\ud800", None, 5, [], {}, False]
    for value in values:
        response = post_text(ops, path, name, value)
        assert response.status_code == 400, (value, response.content)
        assert name in response.content.decode()
    twice = f'{{"{name}": true, "{name}": true}}'
    assert ops.post(path, twice, content_type="application/json").status_code == 400
    task.refresh_from_db()
    assert task.status == Status.FAILED


def post_text(api: APIClient, path: str, name: str, value: Any) -> Any:
    if value == "\ud800":
        return api.post(path, f'{{"{name}": "\\ud800"}}', content_type="application/json")
    return post(api, path, {name: value})


@pytest.mark.parametrize("path", ["/api/v1/queues/dlq/retry", "/api/v1/queues/dlq/purge"])
def test_all_stands_alone(ops: APIClient, path: str) -> None:
    make_task(Status.FAILED)
    response = post(ops, path, {"all": True, "kind": "test.script"})
    assert fields(response) == {"all": "Use it alone, without filters."}
    assert "kind" in fields(ops.post(f"{path}?kind=no.such", {"all": True}, format="json"))
    assert Task.objects.get().status == Status.FAILED


def test_the_document_states_the_limits_of_every_text() -> None:
    document = openapi()["paths"]
    for path, operations in document.items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            schema = parameter["schema"]
            is_text = schema["type"] == "string" and "enum" not in schema
            if parameter["in"] == "query" and is_text and not is_platforms(path):
                assert schema["minLength"] == 1, (path, parameter)
    purge = document["/api/v1/queues/dlq/purge"]["post"]["requestBody"]["content"]
    schema = purge["application/json"]["schema"]
    assert schema["properties"]["all"]["type"] == "boolean"
    assert schema["dependentSchemas"] == {"all": {"maxProperties": 1}}
    assert {"minLength", "maxLength", "pattern"} <= schema["properties"]["kind"].keys()


@pytest.mark.parametrize("option", ["--kind", "--queue"])
@pytest.mark.parametrize("value", ["", " ", "\t", "\x1b"])
def test_an_unusable_option_of_retry_failed_retries_nothing(option: str, value: str) -> None:
    make_task(Status.FAILED)
    for arguments in ([f"{option}={value}"], [f"{option}=default", f"{option}=default"]):
        with pytest.raises(CommandError, match=option):
            call_command("retry_failed", *arguments, stdout=StringIO())
    assert Task.objects.get().status == Status.FAILED


@pytest.mark.parametrize("value", ["", " ", ",", "default,", "default,,other"])
def test_an_empty_name_does_not_make_a_worker_serve_all_queues(value: str) -> None:
    with pytest.raises(CommandError, match="queue"):
        call_command("worker", f"--queues={value}")


@pytest.mark.parametrize(
    "path", ["/api/v1/tasks/requeue-orphaned", "/api/v1/queues/default/pause",
             "/api/v1/queues/default/resume", "/health/workers/reset-circuit-breaker"],
)  # fmt: skip
def test_a_route_that_acts_as_a_whole_refuses_a_choice(api_for, operator, path):
    orphan = make_task(Status.PROCESSING, worker_id=make_worker(silent_for=60))
    ops = api_for(operator)
    refused = [
        ops.post(f"{path}?queue=a"),
        ops.post(f"{path}?queue="),
        ops.post(path, {"queue": "x"}, format="json"),
        ops.post(path, [], format="json"),
        ops.post(path, '{"queue": "x"}', content_type="text/plain"),
    ]
    assert [response.status_code for response in refused] == [400] * 5
    assert refused[0].json()["detail"] == "queue: There is no such parameter."
    assert refused[2].json()["detail"] == "queue: There is no such field."
    orphan.refresh_from_db()
    assert orphan.status == Status.PROCESSING
    assert not Queue.objects.filter(paused=True).exists()
    assert ops.post(path, {}, format="json").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/api/v1/queues/status", "/api/v1/kinds/", "/health/workers", "/health/workers/diagnostics",
     "/conversations/tasks/active", "/conversations/tasks/queues/status"],
)  # fmt: skip
def test_a_list_without_filters_refuses_parameters(api_for, operator, path):
    response = api_for(operator).get(f"{path}?queue=x")
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "queue: There is no such parameter.",
    )
    assert api_for(operator).get(path).status_code == 200
