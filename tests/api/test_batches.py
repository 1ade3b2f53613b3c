from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tasks.models import Batch, Status, Task
from tests.api.described import described, fields, post
from tests.factories import make_task
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db

BATCH = "/api/v1/tasks/batch/"
TASK = {"kind": "test.script", "input": {"value": 1}}


@pytest.mark.parametrize("body", [[TASK, TASK, TASK], {"tasks": [TASK, TASK, TASK]}])
@pytest.mark.parametrize("path", [BATCH, BATCH.rstrip("/")])
def test_an_array_of_tasks_is_accepted_as_one_batch(api: APIClient, path: str, body: Any) -> None:
    response = post(api, path, body)
    assert response.status_code == 202
    created = response.json()
    assert response["Location"] == f"/api/v1/batches/{created['batch_id']}"
    assert created["task_ids"] == [str(id) for id in Batch.objects.get().task_ids()]
    assert [job.task_id for job in jobs()] == created["task_ids"]


def test_ten_thousand_tasks_take_two_statements_and_one_more_is_refused(
    api: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    # Savepoint, batch, tasks, savepoint.
    with django_assert_max_num_queries(4):
        response = post(api, BATCH, [TASK] * 10_000)
    assert len(described(response)["task_ids"]) == 10_000
    assert list(fields(post(api, BATCH, [TASK] * 10_001))) == ["tasks"]
    assert Task.objects.count() == 10_000


def test_an_invalid_task_refuses_the_whole_batch_and_errors_name_the_index(api: APIClient) -> None:
    invalid = {"kind": "text.analyze", "input": {"text": 5}}
    response = post(api, BATCH, [TASK, invalid, {"kind": "no.such"}, {**TASK, "owner": 1}, 7])
    assert list(fields(response)) == ["1.input.text", "2.kind", "3.owner", "4"]
    described(response)
    response = post(api, BATCH, {"tasks": [TASK, {"kind": 1}]})
    assert list(fields(response)) == ["tasks.1.kind"]
    assert not Task.objects.exists()
    assert not Batch.objects.exists()
    assert jobs() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "tasks"), ([], "tasks"), ({"tasks": {}}, "tasks"), ({"tasks": [TASK], "x": 1}, "x")],
)
def test_an_invalid_batch_is_refused_by_field(api: APIClient, body: Any, field: str) -> None:
    assert list(fields(post(api, BATCH, body))) == [field]


def test_numbers_may_be_written_as_integers_or_fractions(api: APIClient) -> None:
    tasks = [{**TASK, "delay": 1}, {**TASK, "delay": 1.5}, TASK, {**TASK, "priority": 1.0}]
    assert post(api, BATCH, tasks).status_code == 202


def test_a_batch_shows_its_progress_in_two_queries(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    batch = Batch.objects.create(total=4)
    for status in (Status.PENDING, Status.PROCESSING, Status.COMPLETED, Status.FAILED):
        make_task(status, batch=batch)
    make_task(Status.COMPLETED)
    with django_assert_num_queries(2):
        shown = described(api.get(f"/api/v1/batches/{batch.id}"))
    assert shown["counts"] == dict.fromkeys(Status.values, 1) | {Status.CANCELLED: 0}
    assert (shown["total"], shown["progress"], shown["finished_at"]) == (4, 50, None)


def test_a_batch_has_ended_when_its_last_task_has_ended(api: APIClient) -> None:
    now = timezone.now()
    batch = Batch.objects.create(total=3)
    make_task(Status.COMPLETED, batch=batch, finished_at=now - dt.timedelta(minutes=1))
    make_task(Status.CANCELLED, batch=batch, finished_at=now)
    # The third was deleted.
    shown = described(api.get(f"/api/v1/batches/{batch.id}/".rstrip("/")))
    assert shown["progress"] == 100
    assert dt.datetime.fromisoformat(shown["finished_at"]) == now


def test_a_batch_is_not_found_by_strangers(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    batch_id = post(api_for(user), BATCH, [TASK]).json()["batch_id"]
    path = f"/api/v1/batches/{batch_id}"
    assert described(api_for(user).get(path))["total"] == 1
    for client in (api, api_for(stranger)):
        assert client.get(path).status_code == 404


def test_a_batch_with_thousands_of_errors_reports_the_first_twenty(api: APIClient) -> None:
    errors = orjson.loads(post(api, BATCH, [{}] * 5_000).content)["errors"]
    assert [error["field"] for error in errors] == [f"{index}.kind" for index in range(20)]
