"""Comparison of responses: each difference is reported, or the examples would prove nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.documents.notation import Written, read
from tests.documents.shapes import COUNT, TASK_ID, TIME, AtLeast, Each, differences, either

CURL = """
curl -X POST http://localhost:8000/process \
  -H "Content-Type: application/json" \
  -d '{"data": {"input": 42}}'
"""


@pytest.mark.parametrize(
    ("expected", "value", "reported"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, ["b is not expected"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["b is missing"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b is 2, not 1"]),
        ({"a": {}}, {"a": None}, ["a is None, not an object"]),
        (1, 1.0, ["answer is 1.0, not 1"]),
        (1, True, ["answer is True, not 1"]),
        ("PENDING", "pending", ["answer is 'pending', not 'PENDING'"]),
        (COUNT, -1, ["answer is -1, not <count>"]),
        (COUNT, False, ["answer is False, not <count>"]),
        (TASK_ID, "async_task_456", ["answer is 'async_task_456', not <task id>"]),
        (TIME, "2025-10-02T10:30:00", ["answer is '2025-10-02T10:30:00', not <time>"]),
        (AtLeast({"a": 1}), {"b": 2}, ["a is missing"]),
        (either(None, {"a": 1}), {"a": 2}, ["answer is {'a': 2}, not <None or {'a': 1}>"]),
        ([1, 2], [1], ["answer has 1 items, not 2"]),
        (Each(COUNT), [1, "2"], ["[1] is '2', not <count>"]),
        (Each(COUNT), {"a": "2"}, ["a is '2', not <count>"]),
    ],
)
def test_a_difference_is_reported(expected: Any, value: Any, reported: list[str]) -> None:
    assert list(differences(expected, value)) == reported


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ({"a": [1, "b", None, 0.5]}, {"a": [1, "b", None, 0.5]}),
        (AtLeast({"a": COUNT}), {"a": 0, "b": 1}),
        (Each(COUNT), []),
        (either(None, TIME), "2025-10-02T10:30:00.123456Z"),
    ],
)
def test_a_matching_value_has_no_differences(expected: Any, value: Any) -> None:
    assert list(differences(expected, value)) == []


def test_a_curl_command_is_parsed_with_the_defaults_of_curl() -> None:
    headers = {"Content-Type": "application/json"}
    assert read(CURL) == Written("POST", "/process", headers, '{"data": {"input": 42}}')
    assert read("curl http://localhost:8000/health") == Written("GET", "/health")
    assert read("curl http://localhost:8000/a -d '{}'").headers == {
        "Content-Type": "application/x-www-form-urlencoded"
    }


def test_an_http_example_is_parsed_with_its_headers_and_its_body() -> None:
    written = read('\nPOST /tasks/\nX-One: 1\n{\n  "a": 1\n}\n')
    headers = {"Content-Type": "application/json", "X-One": "1"}
    assert written == Written("POST", "/tasks/", headers, '{\n  "a": 1\n}')
    assert read("GET /tasks/{task_id}").filled(task_id="7") == Written("GET", "/tasks/7")
