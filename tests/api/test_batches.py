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
ONE = {"kind": "test.script", "input": {"value": 1}}


@pytest.mark.parametrize("body", [[ONE, ONE, ONE], {"tasks": [ONE, ONE, ONE]}])
@pytest.mark.parametrize("path", [BATCH, BATCH.rstrip("/")])
def test_an_array_of_tasks_is_accepted_as_one_batch(api: APIClient, path: str, body: Any) -> None:
    response = post(api, path, body)
    assert response.status_code == 202
    created = response.json()
    assert response["Location"] == f"/api/v1/batches/{created['batch_id']}"
    assert created["task_ids"] == [str(one) for one in Batch.objects.get().task_ids()]
    assert [job.task_id for job in jobs()] == created["task_ids"]


def test_ten_thousand_tasks_take_two_statements_and_one_more_is_refused(
    api: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    # Savepoint, batch, tasks, savepoint.
    with django_assert_max_num_queries(4):
        response = post(api, BATCH, [ONE] * 10_000)
    assert len(described(response)["task_ids"]) == 10_000
    assert list(fields(post(api, BATCH, [ONE] * 10_001))) == ["tasks"]
    assert Task.objects.count() == 10_000


def test_all_or_nothing_and_errors_name_the_index(api: APIClient) -> None:
    wrong = {"kind": "text.analyze", "input": {"text": 5}}
    response = post(api, BATCH, [ONE, wrong, {"kind": "no.such"}, {**ONE, "owner": 1}, 7])
    assert list(fields(response)) == ["1.input.text", "2.kind", "3.owner", "4"]
    described(response)
    inside = post(api, BATCH, {"tasks": [ONE, {"kind": 1}]})
    assert list(fields(inside)) == ["tasks.1.kind"]
    assert not Task.objects.exists()
    assert not Batch.objects.exists()
    assert jobs() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "tasks"), ([], "tasks"), ({"tasks": {}}, "tasks"), ({"tasks": [ONE], "x": 1}, "x")],
)
def test_what_is_no_batch_is_refused(api: APIClient, body: Any, field: str) -> None:
    assert list(fields(post(api, BATCH, body))) == [field]


def test_numbers_may_be_written_as_they_like(api: APIClient) -> None:
    delays = [{**ONE, "delay": 1}, {**ONE, "delay": 1.5}, ONE, {**ONE, "priority": 1.0}]
    assert post(api, BATCH, delays).status_code == 202


def test_a_batch_tells_how_far_it_is(
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


def test_a_batch_is_finished_when_its_last_task_is(api: APIClient) -> None:
    now = timezone.now()
    batch = Batch.objects.create(total=3)
    make_task(Status.COMPLETED, batch=batch, finished_at=now - dt.timedelta(minutes=1))
    make_task(Status.CANCELLED, batch=batch, finished_at=now)
    # The third was deleted.
    shown = described(api.get(f"/api/v1/batches/{batch.id}/".rstrip("/")))
    assert shown["progress"] == 100
    assert dt.datetime.fromisoformat(shown["finished_at"]) == now


def test_a_strangers_batch_is_not_found(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    batch_id = post(api_for(user), BATCH, [ONE]).json()["batch_id"]
    path = f"/api/v1/batches/{batch_id}"
    assert described(api_for(user).get(path))["total"] == 1
    for client in (api, api_for(stranger)):
        assert client.get(path).status_code == 404


def test_a_batch_with_too_many_mistakes_names_the_first(api: APIClient) -> None:
    errors = orjson.loads(post(api, BATCH, [{}] * 5_000).content)["errors"]
    assert len(errors) == 100
