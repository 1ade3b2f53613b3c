from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tasks.models import Lane, Status, Task
from tests.api.described import described, fields, post
from tests.queue_rows import job_of

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"


def test_a_submitted_task_is_accepted_and_shown(api: APIClient) -> None:
    response = post(api, TASKS, {"kind": "test.script", "input": {"value": 1}})
    assert response.status_code == 202
    shown = described(response)
    stored = Task.objects.get()
    assert shown["task_id"] == str(stored.id)
    assert response["Location"] == shown["links"]["self"] == f"/api/v1/tasks/{stored.id}"
    assert response["Retry-After"] == "1"
    assert (shown["status"], shown["lane"]) == (Status.PENDING, Lane.PRIMARY)
    assert shown["input"] == stored.input == {"value": 1}
    assert (shown["result"], shown["error"], shown["links"]["retry"]) == (None, None, None)
    assert job_of(stored).task_id == shown["task_id"]


def test_the_response_to_a_submission_equals_a_later_get(api: APIClient) -> None:
    submitted = described(post(api, TASKS, {"kind": "test.script", "delay": 60, "priority": 3}))
    shown = described(api.get(submitted["links"]["self"]))
    for document in (submitted, shown):
        assert document["waiting"].pop("eta_s") == pytest.approx(60, abs=5)
    assert shown == submitted


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("T10:00:00+01:00:30", "T08:59:30Z"),
        ("T10:00:00+20:00", "T14:00:00Z"),
        ("t10:00:00z", "T10:00:00Z"),
    ],
)
def test_a_due_time_is_stored_exactly_whatever_its_offset(
    api: APIClient, time: str, shown: str
) -> None:
    tomorrow = timezone.now() + dt.timedelta(days=1)
    day = tomorrow.date() if "+20" not in time else tomorrow.date() + dt.timedelta(days=1)
    response = post(api, TASKS, {"kind": "test.script", "scheduled_at": f"{day}{time}"})
    assert described(response)["scheduled_at"] == f"{tomorrow.date()}{shown}"
    stored = Task.objects.get()
    assert stored.scheduled_at == dt.datetime.fromisoformat(f"{tomorrow.date()}{shown}")
    assert job_of(stored).scheduled_at == stored.scheduled_at


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/v1/tasks/"])
def test_a_task_is_accepted_with_and_without_a_trailing_slash(api: APIClient, path: str) -> None:
    assert post(api, path, {"kind": "test.script"}).status_code == 202


def test_json_with_the_default_content_type_of_curl_is_accepted(api: APIClient) -> None:
    curl = "application/x-www-form-urlencoded"
    response = api.post(TASKS, '{"kind": "test.script"}', content_type=curl)
    assert response.status_code == 202


def test_submitting_a_task_takes_one_statement(
    api: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        post(api, TASKS, {"kind": "test.script"})


def test_the_caller_owns_the_task(api_for: Callable[[User], APIClient], user: User) -> None:
    post(api_for(user), TASKS, {"kind": "test.script"})
    assert Task.objects.get().owner == user


def test_the_task_of_an_anonymous_caller_has_no_owner(api: APIClient) -> None:
    post(api, TASKS, {"kind": "test.script"})
    assert Task.objects.get().owner is None


def test_every_option_is_stored(api: APIClient) -> None:
    due = (timezone.now() + dt.timedelta(hours=1)).replace(microsecond=0)
    body = {
        "kind": "test.script", "queue": "own", "priority": 9, "scheduled_at": due.isoformat(),
        "max_attempts": 2, "metadata": {"source": "test"},
    }  # fmt: skip
    response = post(api, TASKS, body)
    shown = described(response)
    assert (shown["queue"], shown["priority"], shown["max_attempts"]) == ("own", 9, 2)
    assert (shown["metadata"], shown["lane"]) == ({"source": "test"}, Lane.SCHEDULED)
    assert dt.datetime.fromisoformat(shown["scheduled_at"]) == due
    assert 3590 < int(response["Retry-After"]) <= 3600


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ([], ""),
        ({"kind": 5}, "kind"),
        ({"kind": "no.such"}, "kind"),
        ({"kind": "test.script", "input": []}, "input"),
        ({"kind": "text.analyze", "input": {"text": 5}}, "input.text"),
        ({"kind": "test.script", "queue": "no spaces"}, "queue"),
        ({"kind": "test.script", "queue": "q" * 129}, "queue"),
        ({"kind": "test.script", "priority": 2**31}, "priority"),
        ({"kind": "test.script", "priority": 1.5}, "priority"),
        ({"kind": "test.script", "priority": True}, "priority"),
        ({"kind": "test.script", "max_attempts": 0}, "max_attempts"),
        ({"kind": "test.script", "delay": -1}, "delay"),
        ({"kind": "test.script", "delay": 1e300}, "delay"),
        ({"kind": "test.script", "delay": None}, "delay"),
        ({"kind": "test.script", "delay": 1, "scheduled_at": "2030-01-01T00:00:00Z"}, "delay"),
        ({"kind": "test.script", "scheduled_at": "soon"}, "scheduled_at"),
        ({"kind": "test.script", "scheduled_at": "2026-12-01T00:00:00"}, "scheduled_at"),
        ({"kind": "test.script", "scheduled_at": "9999-12-31T23:59:59-14:00"}, "scheduled_at"),
        ({"kind": "test.script", "scheduled_at": "0001-01-01T00:00:00+14:00"}, "scheduled_at"),
        ({"kind": "test.script", "metadata": {"much": "x" * 20_000}}, "metadata"),
        ({"kind": "test.script", "callback_url": "https://127.1/"}, "callback_url"),
        ({"kind": "test.script", "status": "COMPLETED"}, "status"),
        ({"kind": "test.script", "owner": 1}, "owner"),
    ],
)
def test_an_invalid_submission_is_refused_by_field(api: APIClient, body: Any, field: str) -> None:
    response = post(api, TASKS, body)
    assert list(fields(response)) == [field]
    described(response)
    assert not Task.objects.exists()


def test_integers_may_be_written_as_fractions(api: APIClient) -> None:
    response = post(api, TASKS, {"kind": "test.script", "priority": 2.0, "max_attempts": 3.0})
    assert (response.json()["priority"], response.json()["max_attempts"]) == (2, 3)


def test_an_anonymous_caller_cannot_submit_to_an_api_that_needs_keys(
    api: APIClient, settings: Any
) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    response = post(api, TASKS, {"kind": "test.script"})
    assert response.status_code == 401
    described(response)
    assert not Task.objects.exists()
