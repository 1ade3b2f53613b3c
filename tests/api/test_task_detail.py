from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from uuid_utils.compat import uuid7

from tasks.models import Lane, Status, Task
from tests.api.described import described
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def path(task: Task) -> str:
    return f"/api/v1/tasks/{task.id}"


@pytest.mark.parametrize("status", Status.values)
def test_a_task_of_every_status_is_shown(api: APIClient, status: str) -> None:
    task = make_task(status, input={"do": "return"}, metadata={"a": 1})
    for spelling in (path(task), f"{path(task)}/"):
        shown = api.get(spelling).json()
        assert shown["task_id"] == str(task.id)
        assert shown["status"] == status
        assert shown["links"]["status_page"] == f"/ui/tasks/{task.id}/"
    assert described(api.get(path(task)))["input"] == {"do": "return"}


def test_input_and_result_are_shown_as_they_were_stored(api: APIClient) -> None:
    value: dict[str, Any] = {
        "ü\n": [2**200, 1.5, -0.25, None, True, {"deep": [[]]}],
        "a": "\ud7ff\U0001f600",
    }
    task = make_task(Status.COMPLETED, input=value, result=[value, 2**64])
    shown = described(api.get(path(task)))
    assert shown["input"] == value
    assert shown["result"] == [value, 2**64]
    task.metadata = {"large": 2**64}
    task.save()
    shown = described(api.get(path(task)))
    assert (shown["metadata"], shown["result"]) == ({"large": 2**64}, [value, 2**64])


@pytest.mark.parametrize(
    ("status", "retry", "cancel"),
    [
        (Status.PENDING, False, True),
        (Status.PROCESSING, False, True),
        (Status.COMPLETED, False, False),
        (Status.FAILED, True, False),
        (Status.CANCELLED, True, False),
    ],
)
def test_links_contain_only_the_actions_that_the_status_allows(
    api: APIClient, status: str, retry: bool, cancel: bool
) -> None:
    task = make_task(status)
    links = api.get(path(task)).json()["links"]
    assert links["retry"] == (f"{path(task)}/retry" if retry else None)
    assert links["cancel"] == (f"{path(task)}/cancel" if cancel else None)


def test_a_failed_task_is_shown_with_its_attempts_but_no_tracebacks(api: APIClient) -> None:
    shown = described(api.get(path(make_task(Status.FAILED))))
    assert shown["lane"] == Lane.DLQ
    assert (shown["error"]["type"], shown["error"]["detail"]) == ("ValueError", "requested failure")
    (attempt,) = shown["error"]["attempts"]
    assert (attempt["number"], attempt["outcome"]) == (1, "failed")
    assert "traceback" not in attempt["error"]


def test_an_operator_sees_tracebacks(api_for: Callable[[User], APIClient], operator: User) -> None:
    shown = described(api_for(operator).get(path(make_task(Status.FAILED))))
    assert "Traceback" in shown["error"]["attempts"][0]["error"]["traceback"]


def test_reading_a_completed_task_takes_one_query(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    task = make_task(Status.COMPLETED)
    with django_assert_num_queries(1):
        api.get(path(task))


def test_an_unchanged_task_is_a_304_that_reads_no_large_column(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    task = make_task(Status.COMPLETED, input={"text": "x" * 100_000})
    tag = api.get(path(task))["ETag"]
    assert tag.startswith('W/"')
    with django_assert_num_queries(1) as queries:
        response = api.get(path(task), headers={"If-None-Match": tag})
    assert '"input"' not in queries.captured_queries[0]["sql"]
    assert (response.status_code, response.content, response["ETag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    "change",
    [
        {"progress": 41},
        {"progress_message": "nearly"},
        {"cancel_requested": True},
        {"claim_number": 9},
        {"max_attempts": 9},
    ],
)
def test_a_task_that_changed_is_sent_again(api: APIClient, change: dict[str, Any]) -> None:
    task = make_task(Status.PROCESSING)
    tag = api.get(path(task))["ETag"]
    Task.objects.filter(pk=task.pk).update(**change)
    response = api.get(path(task), headers={"If-None-Match": tag})
    assert response.status_code == 200
    assert response["ETag"] != tag


def test_a_task_that_has_come_due_is_sent_again(api: APIClient) -> None:
    now = timezone.now()
    task = make_task(scheduled_at=now + dt.timedelta(hours=1))
    tag = api.get(path(task))["ETag"]
    Task.objects.filter(pk=task.pk).update(scheduled_at=now - dt.timedelta(hours=1))
    assert api.get(path(task), headers={"If-None-Match": tag}).json()["lane"] == Lane.PRIMARY


def test_only_a_task_that_has_not_ended_has_a_retry_after(api: APIClient) -> None:
    assert api.get(path(make_task(Status.PROCESSING)))["Retry-After"] == "1"
    assert "Retry-After" not in api.get(path(make_task(Status.COMPLETED)))


@pytest.mark.parametrize("task_id", ["01900000-0000-7000-8000-000000000000", "nonsense", "%00"])
def test_an_unknown_task_is_not_found(api: APIClient, task_id: str) -> None:
    response = api.get(f"/api/v1/tasks/{task_id}")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_an_unknown_task_is_not_found_by_a_request_with_an_etag(api: APIClient) -> None:
    response = api.get(f"/api/v1/tasks/{uuid7()}", headers={"If-None-Match": "*"})
    assert response.status_code == 404
    described(response)
