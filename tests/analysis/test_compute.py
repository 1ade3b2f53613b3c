from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from analysis.compute import operations
from analysis.compute.handler import handle
from tasks import kinds, submit
from tasks.errors import InvalidInput
from tasks.models import Status, Task
from tests.api.described import described, fields, post
from tests.factories import make_context, make_task

REFERENCE = 499999500000


def compute(operation: str, value: Any) -> Any:
    """Return the result of an operation."""
    input = {"operation": operation, "input": value}
    kinds.get("compute").validate(input)
    return handle(input, make_context())["result"]


def test_the_kind_runs_in_a_process_of_its_own_within_its_limits() -> None:
    kind = kinds.get("compute")
    assert (kind.isolation, kind.queue, kind.time_limit) == ("process", "default", 120)
    assert kind.memory_limit


@pytest.mark.parametrize("value", [42, None, "anything", {"deep": [1]}])
def test_the_reference_load_is_the_same_whatever_its_input(value: Any) -> None:
    assert compute("compute", value) == REFERENCE


@pytest.mark.parametrize(
    ("operation", "value", "result"),
    [
        ("sum", 100, 5050),
        ("sum", 0, 0),
        ("sum", [1, 2, 3.0], 6),
        ("sum", [0.1] * 10, 1.0),
        ("sum", [], 0),
        ("primes", 0, 0),
        ("primes", 2, 1),
        ("primes", 100, 25),
        ("primes", 1_000_000.0, 78498),
        ("fibonacci", 0, 0),
        ("fibonacci", 10, 55),
        ("fibonacci", 92, 7540113804746346429),
        ("fibonacci", 100, "354224848179261915075"),
        ("matrix", 0, 0),
        ("matrix", 2, 10),
    ],
)
def test_each_operation_returns_its_result(operation: str, value: Any, result: Any) -> None:
    assert compute(operation, value) == result


@given(st.integers(0, 3_000))
def test_the_sieve_finds_what_trial_division_finds(limit: int) -> None:
    def is_prime(number: int) -> bool:
        return all(number % divisor for divisor in range(2, math.isqrt(number) + 1))

    assert operations.primes(limit) == sum(map(is_prime, range(2, limit + 1)))


@pytest.mark.parametrize(
    "data",
    [
        {"operation": "explode"},
        {"operation": "primes"},
        {"operation": "primes", "input": -1},
        {"operation": "primes", "input": 10_000_001},
        {"operation": "primes", "input": 1.5},
        {"operation": "primes", "input": True},
        {"operation": "fibonacci", "input": 10_001},
        {"operation": "matrix", "input": 201},
        {"operation": "matrix", "input": [1]},
        {"operation": "sum", "input": 10_000_001},
        {"operation": "sum", "input": ["1"]},
        {"operation": "sum", "input": [1e16]},
        {"operation": "sum", "input": "1"},
    ],
)
def test_inputs_beyond_the_limits_or_of_a_wrong_type_are_refused_at_submission(data: Any) -> None:
    with pytest.raises(InvalidInput):
        kinds.get("compute").validate(data)


@pytest.mark.django_db
@pytest.mark.parametrize("body", [None, {}, {"data": None}, {"data": {}}])
def test_the_body_is_optional(api: APIClient, body: Any) -> None:
    response = api.post("/process") if body is None else post(api, "/process", body)
    task = Task.objects.get()
    assert response.status_code == 202
    assert described(response) == {
        "task_id": str(task.id),
        "status": "pending",
        "message": "Task queued for processing",
    }
    assert response["Location"] == f"/results/{task.id}"
    assert (task.kind, task.input) == ("compute", {})


@pytest.mark.django_db
def test_invalid_fields_are_named_as_they_were_sent(api: APIClient) -> None:
    invalid = {"operation": "primes", "input": -5}
    assert set(fields(post(api, "/process", {"data": invalid}))) == {"data.input"}
    assert set(fields(post(api, "/process", {"operation": "primes"}))) == {"operation"}
    assert set(fields(post(api, "/process", {"data": [1]}))) == {"data"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (Status.PENDING, "pending"),
        (Status.PROCESSING, "pending"),
        (Status.COMPLETED, "completed"),
        (Status.FAILED, "failed"),
        (Status.CANCELLED, "failed"),
    ],
)
def test_statuses_have_the_documented_spelling(api: APIClient, status: Status, shown: str) -> None:
    result = {"operation": "compute", "result": REFERENCE} if shown == "completed" else None
    task = make_task(status, kind="compute", input={}, result=result)
    answer = described(api.get(f"/results/{task.id}"))
    assert set(answer) == {
        "task_id", "status", "result", "error_message", "created_at", "completed_at"
    }  # fmt: skip
    assert answer["status"] == shown
    assert answer["result"] == (REFERENCE if shown == "completed" else None)
    assert bool(answer["error_message"]) == (shown == "failed")
    assert bool(answer["completed_at"]) == (shown != "pending")


@pytest.mark.django_db
def test_unknown_computations_and_those_of_other_owners_are_not_found(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    own = make_task(kind="compute", input={}, owner=user)
    other_kind = make_task(owner=user)
    assert api_for(user).get(f"/results/{own.id}/").status_code == 200
    for caller, task_id in ((stranger, own.id), (user, other_kind.id), (user, uuid7())):
        assert described(api_for(caller).get(f"/results/{task_id}"))["status"] == 404
    unknown = api.get("/results/no-id-at-all")
    assert (unknown.status_code, unknown["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.django_db(transaction=True)
def test_the_documented_example_has_the_documented_result(
    api: APIClient, run_tasks: Callable[[], None]
) -> None:
    example = {"data": {"input": 42, "operation": "compute"}}
    task_id = post(api, "/process", example).json()["task_id"]
    long = submit("compute", {"operation": "fibonacci", "input": 10_000})
    run_tasks()
    answer = described(api.get(f"/results/{task_id}"))
    assert (answer["status"], answer["result"], answer["error_message"]) == (
        "completed", REFERENCE, None
    )  # fmt: skip
    assert len(described(api.get(f"/results/{long.id}"))["result"]) == 2090
    page = api.get(f"/ui/tasks/{task_id}/", headers={"Accept": "text/html"}).content.decode()
    assert str(REFERENCE) in page
