from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tasks.models import Status, Task
from tests.api.described import described, fields, post
from tests.factories import ERROR, make_task

pytestmark = pytest.mark.django_db

DLQ = "/api/v1/queues/dlq"
TIMEOUT = {**ERROR, "type": "TimeoutError"}


def fail(**fields: Any) -> Task:
    return make_task(Status.FAILED, **fields)


def test_failed_tasks_are_listed_newest_failure_first_and_counted_in_groups(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    late = fail(finished_at=now)
    early = fail(finished_at=now - dt.timedelta(hours=1))
    other = fail(finished_at=now - dt.timedelta(hours=2), kind="test.sum", error=TIMEOUT)
    make_task(Status.COMPLETED)
    with django_assert_num_queries(2):
        shown = described(api.get(DLQ))
    assert [task["task_id"] for task in shown["results"]] == [
        str(task.id) for task in (late, early, other)
    ]
    assert shown["groups"] == [
        {"kind": "test.script", "error_type": "ValueError", "count": 2},
        {"kind": "test.sum", "error_type": "TimeoutError", "count": 1},
    ]
    assert api.get(f"{DLQ}/").json() == shown


def test_pages_are_complete_even_if_all_tasks_failed_in_one_moment(api: APIClient) -> None:
    now = timezone.now()
    failed = {str(fail(finished_at=now).id) for _ in range(5)}
    seen, page = [], described(api.get(DLQ, {"page_size": 2}))
    seen += page["results"]
    while page["next"]:
        page = described(api.get(page["next"]))
        seen += page["results"]
    assert {task["task_id"] for task in seen} == failed
    assert len(seen) == 5


def test_filters_narrow_the_list_and_the_groups(api: APIClient) -> None:
    fail()
    fail(kind="test.sum", error=TIMEOUT, queue="other")
    for name, value in (("kind", "test.sum"), ("error_type", "TimeoutError"), ("queue", "other")):
        shown = described(api.get(DLQ, {name: value}))
        assert [task["kind"] for task in shown["results"]] == ["test.sum"]
        assert len(shown["groups"]) == 1


def test_a_moment_with_any_offset_narrows_the_list_and_the_purge(api: APIClient) -> None:
    moment = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    old = fail(finished_at=moment - dt.timedelta(seconds=1))
    new = fail(finished_at=moment)
    for text in ("2026-11-02T23:00:00+23:00", "2026-11-02t00:00:00z"):
        shown = described(api.get(DLQ, {"failed_after": text}))
        assert [task["task_id"] for task in shown["results"]] == [str(new.pk)]
    purged = post(api, f"{DLQ}/purge", {"failed_before": "2026-11-02T23:00:00+23:00"})
    assert described(purged) == {"purged": 1, "more": False}
    assert not Task.objects.filter(pk=old.pk).exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("failed_after", "x"), ("status", "FAILED"), ("cursor", "cD0x"), ("page_size", "x")],
)
def test_an_invalid_parameter_is_refused_by_name(api: APIClient, name: str, value: str) -> None:
    assert list(fields(api.get(DLQ, {name: value}))) == [name]


def test_only_the_failed_tasks_that_match_the_filter_are_retried(api: APIClient) -> None:
    matching, other = fail(error=TIMEOUT), fail()
    response = post(api, f"{DLQ}/retry", {"error_type": "TimeoutError"})
    assert described(response) == {"retried": 1, "more": False}
    matching.refresh_from_db()
    other.refresh_from_db()
    assert (matching.status, other.status) == (Status.PENDING, Status.FAILED)


def test_only_the_failed_tasks_that_match_the_filter_are_purged(api: APIClient) -> None:
    fail(finished_at=timezone.now() - dt.timedelta(days=9))
    kept = [fail(), make_task(Status.CANCELLED), make_task()]
    before = (timezone.now() - dt.timedelta(days=1)).isoformat()
    response = post(api, f"{DLQ}/purge", {"failed_before": before})
    assert described(response) == {"purged": 1, "more": False}
    assert set(Task.objects.values_list("pk", flat=True)) == {task.pk for task in kept}


def test_all_failed_tasks_are_purged_only_with_all_true(api: APIClient) -> None:
    fail()
    invalid: list[Any] = [{}, [], {"all": False}, {"al": True}, {"kind": 5}, {"failed_before": "x"}]
    for body in invalid:
        assert post(api, f"{DLQ}/purge", body).status_code == 400
    assert described(post(api, f"{DLQ}/purge", {"all": True})) == {"purged": 1, "more": False}


def test_one_request_moves_tasks_in_chunks_up_to_its_limit(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 2)
    monkeypatch.setattr("tasks.api.views.dead_letters.LIMIT", 4)
    for _ in range(5):
        fail()
    assert post(api, f"{DLQ}/retry", {"all": True}).json() == {"retried": 4, "more": True}
    assert post(api, f"{DLQ}/purge", {"all": True}).json() == {"purged": 1, "more": False}


def test_a_user_retries_only_their_own_tasks_and_an_operator_all(
    api_for: Callable[[User], APIClient], user: User, viewer: User, operator: User
) -> None:
    fail(owner=user)
    fail()
    counts = [
        post(api_for(caller), f"{DLQ}/retry", {"all": True}).json()["retried"]
        for caller in (viewer, user, operator)
    ]
    assert counts == [0, 1, 1]
