"""Errors of validation: bounded in number, in size and in time, for bodies and for inputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from rest_framework.test import APIClient

from tests.api.described import post

pytestmark = pytest.mark.django_db

# Seconds of processor time; when all errors were made, some of these took 0.5 to 3.7.
QUICK = 0.2


def quickest(request: Callable[[], Any]) -> tuple[Any, float]:
    """Return the answer to a request, and the processor time of the quickest of three."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        response = request()
        seconds.append(time.process_time() - start)
    return response, min(seconds)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/tasks", {"vector_data": [["a"] * 40_000] * 4}, "vector_data.0"),
        ("/tasks", {"vector_data": ["1"] * 49_999}, "vector_data"),
        ("/api/v1/vectors/search", {"vector": ["1"] * 49_999}, "vector"),
        ("/process", {"data": {"operation": "sum", "input": ["1"] * 49_999}}, "data.input.0"),
        ("/v1/tasks", {"text": "to be", "more": ["a"] * 40_000}, "more"),
        ("/api/v1/tasks/", {"kind": "test.script", "queue": "q" * 2_000_000}, "queue"),
        ("/api/v1/tasks/", {"kind": "test.script", "metadata": ["a"] * 49_999}, "metadata"),
        ("/api/v1/queues/dlq/purge", {"kind": ["a"] * 49_999}, "kind"),
        ("/api/v1/tasks/batch/", [{"kind": ["a"] * 5}] * 10_000, "0.kind"),
    ],
)
def test_a_large_invalid_body_is_refused_quickly(
    api: APIClient, path: str, body: Any, field: str
) -> None:
    text = orjson.dumps(body).decode()
    response, seconds = quickest(lambda: api.post(path, text, content_type="application/json"))
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field
    assert seconds < QUICK
    assert len(response.content) < 20_000


@pytest.mark.parametrize("path", ["/api/v1/tasks/", "/v1/tasks", "/tasks", "/api/v1/schedules/"])
@pytest.mark.parametrize("count", [30, 49_000])
def test_unknown_fields_are_counted_instead_of_listed(
    api_for: Any, operator: Any, path: str, count: int
) -> None:
    body = {f"unknown-{number}": number for number in range(count)}
    response = post(api_for(operator), path, body)
    errors = response.json()["errors"]
    assert response.status_code == 400
    assert len(errors) <= 20
    assert len(response.content) < 5_000
    # Of a large body only the first error is reported: here a missing field, or an unknown one.
    messages = {error["message"] for error in errors}
    assert messages & {"There is no such field.", "This field is required."}


def test_a_small_body_has_an_error_for_each_wrong_field(api: APIClient) -> None:
    body = {"kind": 1, "priority": "x", **{f"x{number:02}": 1 for number in range(12)}}
    errors = post(api, "/api/v1/tasks/", body).json()["errors"]
    unknown = {error["field"] for error in errors if error["message"] == "There is no such field."}
    assert unknown == {f"x{number:02}" for number in range(10)}
    assert {"field": "", "message": "2 more names are unknown."} in errors
    assert {"kind", "priority"} <= {error["field"] for error in errors}
    assert len(errors) == 13


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/tasks/", {"Accept": "a/b;q=0.1," * 6_000}),
        ("/api/v1/tasks/", {"Accept": "application/json;" + "x=y;" * 15_000}),
        ("/api/schema/", {"Accept": "a/b;q=0.1," * 6_000}),
        ("/health/live", {"Prefer": "wait " * 12_000}),
        ("/api/v1/tasks/01a200d2-1dab-7673-843c-a7a7b68757af", {"Prefer": ",wait=" * 10_000}),
        ("/api/v1/tasks/01a200d2-1dab-7673-843c-a7a7b68757af", {"If-None-Match": '"a",' * 15_000}),
        ("/api/schema/", {"If-None-Match": 'W/"a",' * 10_000}),
        ("/api/v1/tasks/", {"Idempotency-Key": "k" * 60_000}),
        ("/api/v1/tasks/", {"Authorization": "Bearer " + "k" * 60_000}),
        ("/api/v1/tasks/?cursor=" + "9" * 60_000, {}),
        ("/api/v1/tasks/?page_size=" + "9" * 60_000, {}),
        ("/api/v1/tasks/?batch=" + "9" * 60_000, {}),
        ("/api/v1/tasks/?created_after=" + "9" * 60_000, {}),
        ("/api/v1/tasks/?" + "&".join(f"x{number}=1" for number in range(900)), {}),
        ("/api/v1/vectors/search?vector=" + "9," * 30_000, {}),
    ],
)
def test_a_large_header_or_parameter_is_refused_quickly(
    api: APIClient, path: str, headers: dict[str, str]
) -> None:
    response, seconds = quickest(lambda: api.get(path, headers=headers))
    assert response.status_code < 500
    assert seconds < QUICK
    if response.status_code >= 400:
        assert len(response.content) < 20_000


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        (
            "/health/workers/reset-circuit-breaker",
            {"name": "openrouter"},
            "name: There is no such field.",
        ),
        ("/api/v1/queues/dlq/purge", {}, 'Give at least one filter, or "all": true.'),
        ("/api/v1/queues/dlq/retry", {}, 'Give at least one filter, or "all": true.'),
        (
            "/api/v1/tasks/",
            {"kind": "test.script", "queue": " "},
            "queue: Use at most 40 characters: letters, digits, dot, underscore, colon or hyphen,"
            " and first a letter or digit.",
        ),
        (
            "/api/v1/queues/.x/pause",
            None,
            "name: Use at most 40 characters: letters, digits, dot, underscore, colon or hyphen,"
            " and first a letter or digit.",
        ),
        ("/api/v1/tasks/summarize/", {"content": " "}, "content: The value is empty."),
        ("/conversations/message", {"message": " "}, "message: The value is empty."),
        ("/conversations/message", {"message": "a", "x": 1}, "x: There is no such field."),
    ],
)
def test_a_message_states_what_is_expected_in_words(
    api_for: Any, operator: Any, path: str, body: Any, detail: str
) -> None:
    response = post(api_for(operator), path, body)
    assert (response.status_code, response.json()["detail"]) == (400, detail)


def test_a_change_without_a_field_is_named_in_words(api_for: Any, operator: Any) -> None:
    ops = api_for(operator)
    new = {"name": "a", "kind": "test.script", "cron": "0 0 * * *"}
    address = ops.post("/api/v1/schedules/", new, format="json")["Location"]
    response = ops.patch(address, {}, format="json")
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "The object has fewer fields than 1.",
    )
