from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tasks.models import Lane, Status, Task
from tests.api.described import described, fields, post
from tests.factories import make_task

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"


def listed(api: APIClient, **filters: Any) -> list[str]:
    return [task["task_id"] for task in described(api.get(TASKS, filters))["results"]]


def ids(*tasks: Task) -> list[str]:
    return [str(task.id) for task in tasks]


def test_tasks_are_listed_newest_first(api: APIClient) -> None:
    old, new = make_task(), make_task(Status.FAILED)
    assert listed(api) == ids(new, old)
    assert api.get("/api/v1/tasks").json() == api.get(TASKS).json()


def test_a_list_omits_inputs_results_and_attempts(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_task(Status.COMPLETED)
    make_task(Status.FAILED)
    with django_assert_num_queries(1) as queries:
        (failed, completed) = described(api.get(TASKS))["results"]
    assert not {"input", "result"} & {*failed, *completed}
    assert "attempts" not in failed["error"]
    assert '"result"' not in queries.captured_queries[0]["sql"]


def test_pages_link_forward_and_back_and_ignore_new_tasks(api: APIClient) -> None:
    tasks = [make_task() for _ in range(5)][::-1]
    first = described(api.get(f"{TASKS}?page_size=2&status=PENDING"))
    assert first["previous"] is None
    assert first["next"].startswith("/api/v1/tasks/?")
    # A new task does not move the pages.
    make_task()
    second = described(api.get(first["next"]))
    third = described(api.get(second["next"]))
    pages = [[task["task_id"] for task in page["results"]] for page in (first, second, third)]
    assert pages == [ids(*tasks[:2]), ids(*tasks[2:4]), ids(*tasks[4:])]
    assert third["next"] is None
    assert api.get(second["previous"]).json()["results"] == first["results"]


def test_a_page_has_no_total_count(api: APIClient) -> None:
    assert set(described(api.get(TASKS))) == {"next", "previous", "results"}


def test_each_filter_keeps_only_matching_tasks(api: APIClient) -> None:
    now = timezone.now()
    old = make_task(Status.COMPLETED, created_at=now - dt.timedelta(days=2))
    other = make_task(kind="test.sum", queue="other")
    tried = make_task(attempt=1)
    later = make_task(scheduled_at=now + dt.timedelta(hours=1))
    failed = make_task(Status.FAILED)
    assert listed(api, status="COMPLETED") == ids(old)
    assert listed(api, kind="test.sum") == listed(api, queue="other") == ids(other)
    assert listed(api, lane=Lane.PRIMARY) == ids(other)
    assert listed(api, lane=Lane.RETRY) == ids(tried)
    assert listed(api, lane=Lane.SCHEDULED) == ids(later)
    assert listed(api, lane=Lane.DLQ) == ids(failed)
    yesterday = (now - dt.timedelta(days=1)).isoformat()
    assert listed(api, created_before=yesterday) == ids(old)
    assert listed(api, created_after=yesterday) == ids(failed, later, tried, other)
    assert listed(api, status="PENDING", kind="test.script", lane="retry") == ids(tried)
    assert listed(api, kind="unknown.kind") == []


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-02",
        "2026-11-02T00:00:00",
        "2026-11-02t00:00:00z",
        "2026-11-02T23:00:00+23:00",
        "2026-11-02T00:00:30+00:00:30",
    ],
)
def test_a_moment_is_read_like_that_of_a_submission(api: APIClient, moment: str) -> None:
    second = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    before = make_task(created_at=second - dt.timedelta(seconds=1))
    at = make_task(created_at=second)
    assert listed(api, created_before=moment) == ids(before)
    assert listed(api, created_after=moment) == ids(at)


def test_the_tasks_of_a_batch_are_listed_by_its_link(api: APIClient) -> None:
    make_task()
    batch = post(api, "/api/v1/tasks/batch/", [{"kind": "test.script"}] * 2).json()
    shown = described(api.get(f"/api/v1/batches/{batch['batch_id']}"))
    results = described(api.get(shown["links"]["tasks"]))["results"]
    assert [task["task_id"] for task in results] == batch["task_ids"][::-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "DONE"),
        ("lane", "fast"),
        ("batch", "5"),
        ("created_after", "yesterday"),
        ("created_before", "2026-13-01"),
        ("kind", "a\0b"),
        ("queue", "q" * 200),
        ("page_size", "0"),
        ("page_size", "201"),
        ("page_size", "-1"),
        ("page_size", "many"),
        ("page_size", "9" * 5000),
        ("cursor", "nonsense"),
        ("cursor", "\N{SNOWMAN}"),
        ("cursor", "cD1ub25zZW5zZQ=="),
        ("cursor", "cj14"),
        ("statu", "FAILED"),
        ("order_by", "owner__password"),
        ("owner", "1"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(api: APIClient, name: str, value: str) -> None:
    response = api.get(TASKS, {name: value})
    assert list(fields(response)) == [name]
    described(response)
