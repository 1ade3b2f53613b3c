"""Idempotency keys of batches: a repeated request creates no second batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Batch, Task
from tests.api.described import described, fields
from tests.queue_rows import jobs
from tests.threads import in_threads

pytestmark = pytest.mark.django_db

BATCH = "/api/v1/tasks/batch/"
ONE = {"kind": "test.script", "input": {"value": 1}}
TWO = {"kind": "test.script", "input": {"value": 2}}


def submit(client: APIClient, key: str, tasks: Any = (ONE, TWO), path: str = BATCH) -> Any:
    return client.post(path, tasks, format="json", headers={"Idempotency-Key": key})


def test_a_repeated_request_gets_the_answer_of_the_first(api: APIClient) -> None:
    first, second = submit(api, "b-1"), submit(api, "b-1")
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert described(second) == described(first)
    assert second["Location"] == first["Location"]
    assert (Batch.objects.count(), Task.objects.count(), len(jobs())) == (1, 2, 2)


def test_the_answer_names_all_tasks_in_order_even_if_some_were_deleted(api: APIClient) -> None:
    first = submit(api, "b-1").json()
    lifecycle.delete_many([Task.objects.get(input__value=1).pk])
    assert submit(api, "b-1").json() == first


def test_an_array_and_an_object_with_it_are_the_same_request(api: APIClient) -> None:
    first = submit(api, "b-1").json()
    assert submit(api, "b-1", {"tasks": [ONE, TWO]}).json() == first


@pytest.mark.parametrize(
    "tasks", [[TWO, ONE], [ONE], [ONE, TWO, TWO], [ONE, {**TWO, "priority": 1}]]
)
def test_a_key_that_was_used_for_other_tasks_or_another_order_is_refused(
    api: APIClient, tasks: Any
) -> None:
    submit(api, "b-1")
    response = submit(api, "b-1", tasks)
    assert response.status_code == 422
    assert described(response)["type"] == "/problems/idempotency-key-reused"
    assert (Batch.objects.count(), Task.objects.count()) == (1, 2)


def test_every_owner_has_keys_of_their_own(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    clients = [api, api_for(user), api_for(stranger)]
    ids = {submit(client, "b-1").json()["batch_id"] for client in clients}
    assert len(ids) == 3
    assert {submit(client, "b-1").json()["batch_id"] for client in clients} == ids


def test_keys_of_batches_are_apart_from_those_of_tasks(api: APIClient) -> None:
    assert submit(api, "k", ONE, "/api/v1/tasks/").status_code == 202
    assert submit(api, "k", [ONE]).status_code == 202
    assert submit(api, "k", ONE, "/api/v1/tasks/").status_code == 200
    assert Task.objects.count() == 2


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "\u00e9"])
def test_an_invalid_key_is_refused(api: APIClient, key: str) -> None:
    assert list(fields(submit(api, key))) == ["Idempotency-Key"]
    assert not Batch.objects.exists()


def test_batches_without_a_key_are_all_created(api: APIClient) -> None:
    for _ in range(2):
        assert api.post(BATCH, [ONE], format="json").status_code == 202
    assert list(Batch.objects.values_list("submitted_ids", flat=True)) == [None, None]


def test_a_key_is_submitted_again_when_its_batch_was_deleted(api: APIClient) -> None:
    submit(api, "b-1")
    Batch.objects.all().delete()
    assert submit(api, "b-1").status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_fails_leaves_its_key_free() -> None:
    submission = prepare("test.script")
    with pytest.raises(Exception, match="duplicate key"):
        lifecycle.submit_many([submission, submission], idempotency_key="b-1")
    assert not Batch.objects.exists()
    batch = lifecycle.submit_many([submission], idempotency_key="b-1")
    assert (batch.replayed, Task.objects.get().batch_id) == (False, batch.pk)


@pytest.mark.django_db(transaction=True)
def test_simultaneous_requests_with_one_key_create_one_batch() -> None:
    for round in range(20):
        answers = in_threads(5, lambda: submit(APIClient(), f"b-{round}", [ONE] * 50))  # noqa: B023
        assert sorted(answer.status_code for answer in answers) == [200] * 4 + [202]
        assert len({answer.content for answer in answers}) == 1
    assert (Batch.objects.count(), Task.objects.count(), len(jobs())) == (20, 1000, 1000)


@pytest.mark.django_db(transaction=True)
def test_a_batch_deleted_while_its_request_is_repeated_is_no_error() -> None:
    def submit_and_delete() -> set[int]:
        client, answers = APIClient(), set()
        for _ in range(20):
            answer = submit(client, "b-1")
            answers.add(answer.status_code)
            Task.objects.filter(batch=answer.json()["batch_id"]).update(batch=None)
            Batch.objects.filter(pk=answer.json()["batch_id"]).delete()
        return answers

    for answers in in_threads(5, submit_and_delete):
        assert answers <= {200, 202}
