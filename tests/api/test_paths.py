"""Paths: ids in either case (RFC 9562), and OPTIONS where Allow lists it (RFC 9110)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from tasks.models import Batch, Status
from tests.api.described import described, post
from tests.factories import make_task
from tests.routes import ID, api_paths, patterns

pytestmark = pytest.mark.django_db

NIGHTLY = {"name": "Nightly", "kind": "test.script", "cron": "0 3 * * *"}


def test_every_id_in_a_path_is_read_in_either_case() -> None:
    assert [path for path, _ in patterns() if "<uuid:" in path] == []
    assert sum("<anycase_uuid:" in path for path, _ in patterns()) == 67


def test_a_task_is_found_by_its_id_in_upper_case(api: APIClient) -> None:
    task = make_task(Status.FAILED, kind="text.analyze")
    upper = str(task.pk).upper()
    for path in ("/api/v1/tasks", "/v1/tasks", "/ui/tasks"):
        assert api.get(f"{path}/{upper}/").status_code == 200
    shown = described(api.get(f"/api/v1/tasks/{upper}"))
    assert shown["task_id"] == str(task.pk)
    assert shown["links"]["self"] == f"/api/v1/tasks/{task.pk}"
    assert post(api, f"/api/v1/tasks/{upper}/retry").status_code == 202
    assert api.delete(f"/api/v1/tasks/{upper}").status_code == 204


def test_other_rows_are_found_by_their_ids_in_upper_case(
    api: APIClient, api_for: Callable[[User], APIClient], operator: User
) -> None:
    batch = Batch.objects.create(total=1)
    path = f"/api/v1/batches/{str(batch.pk).upper()}"
    assert described(api.get(path))["batch_id"] == str(batch.pk)
    ops = api_for(operator)
    schedule = post(ops, "/api/v1/schedules/", NIGHTLY).json()["schedule_id"]
    path = f"/api/v1/schedules/{schedule.upper()}"
    assert described(ops.get(path))["schedule_id"] == schedule
    assert post(ops, f"{path}/disable").status_code == 200


def test_an_id_in_upper_case_is_read_in_the_console(operator: User, client: Client) -> None:
    task = make_task(Status.FAILED)
    client.force_login(operator)
    assert client.get(f"/admin/tasks/task/{str(task.pk).upper()}/change/").status_code == 200
    retry = client.post(f"/admin/tasks/task/{str(task.pk).upper()}/do/retry/")
    assert retry.status_code == 302
    task.refresh_from_db()
    assert task.status == Status.PENDING


@pytest.mark.parametrize("id", [ID[:-1], f"{ID}0", ID.replace("A", "G"), ID.replace("-", "")])
def test_what_is_not_an_id_is_not_found(api: APIClient, id: str) -> None:
    assert api.get(f"/api/v1/tasks/{id}").status_code == 404


@pytest.mark.parametrize("path", api_paths())
def test_options_are_answered_with_the_methods_that_are_allowed(
    api_for: Callable[[User], APIClient], operator: User, path: str
) -> None:
    response = api_for(operator).options(path)
    assert (response.status_code, response.content) == (200, b"")
    allowed = response["Allow"].split(", ")
    assert "OPTIONS" in allowed
    assert api_for(operator).put(path)["Allow"].split(", ") == allowed
