from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from tasks import schedules
from tasks.models import Schedule, Task
from tests.api.described import described, fields, post

pytestmark = pytest.mark.django_db

SCHEDULES = "/api/v1/schedules/"
NIGHTLY: dict[str, Any] = {
    "name": "Nightly",
    "kind": "text.analyze",
    "input": {"text": "To be, or not to be."},
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
}


@pytest.fixture(autouse=True)
def _no_schedules(db: None) -> None:
    """Delete the schedules that a migration creates."""
    Schedule.objects.all().delete()


@pytest.fixture
def ops(api_for: Callable[[User], APIClient], operator: User) -> APIClient:
    """Return an operator's client."""
    return api_for(operator)


def patch(api: APIClient, path: str, body: Any) -> Any:
    """Send changes."""
    return api.patch(path, orjson.dumps(body).decode(), content_type="application/json")


def test_a_schedule_is_created_and_shown(ops: APIClient, operator: User) -> None:
    response = post(ops, SCHEDULES, NIGHTLY)
    created = described(response)
    assert response.status_code == 201
    assert response["Location"] == created["links"]["self"]
    assert {name: created[name] for name in NIGHTLY} == NIGHTLY
    assert (created["enabled"], created["queue"], created["last_at"]) == (True, None, None)
    assert created["next_at"] > timezone.now().isoformat()
    assert Schedule.objects.get().owner == operator
    assert described(ops.get(created["links"]["self"])) == created


def test_runs_are_listed_newest_first_with_the_status_of_their_tasks(ops: APIClient) -> None:
    rules = {"overlap": "skip", "catch_up": "all", "jitter": 30}
    created = described(post(ops, SCHEDULES, {**NIGHTLY, **rules}))
    assert {name: created[name] for name in rules} == rules
    assert described(ops.get(created["links"]["runs"])) == {"runs": []}
    task = described(post(ops, created["links"]["run"]))
    Schedule.objects.update(next_at=timezone.now() - timedelta(seconds=1))
    schedules.fire_due()
    left_out, requested = described(ops.get(created["links"]["runs"]))["runs"]
    assert (left_out["task_id"], left_out["status"]) == (None, None)
    assert left_out["note"] == "Left out: a task of an earlier run had not ended."
    assert left_out["tick"] is not None
    assert (requested["tick"], requested["note"]) == (None, None)
    assert (requested["task_id"], requested["status"]) == (task["task_id"], "PENDING")
    changed = described(patch(ops, created["links"]["self"], {"overlap": "queue", "jitter": 0}))
    assert (changed["overlap"], changed["catch_up"], changed["jitter"]) == ("queue", "all", 0)


def test_schedules_are_listed_in_pages_newest_first(ops: APIClient) -> None:
    for number in range(3):
        post(ops, SCHEDULES, {**NIGHTLY, "name": f"schedule {number}"})
    first = described(ops.get(SCHEDULES, {"page_size": 2}))
    assert [schedule["name"] for schedule in first["results"]] == ["schedule 2", "schedule 1"]
    second = described(ops.get(first["next"]))
    assert [schedule["name"] for schedule in second["results"]] == ["schedule 0"]
    assert second["next"] is None


def test_an_invalid_schedule_is_refused_by_field(ops: APIClient) -> None:
    invalid = {**NIGHTLY, "cron": "61 2 * * *", "timezone": "Mars/Base", "kind": "no.such"}
    assert set(fields(post(ops, SCHEDULES, invalid))) == {"cron", "timezone", "kind"}
    assert set(fields(post(ops, SCHEDULES, {**NIGHTLY, "cron": "0 0 2 * * *"}))) == {"cron"}
    assert set(fields(post(ops, SCHEDULES, {**NIGHTLY, "input": {}}))) == {"input.text"}
    assert set(fields(post(ops, SCHEDULES, {"kind": 1, "extra": 1}))) == {
        "kind", "name", "cron", "extra",
    }  # fmt: skip
    post(ops, SCHEDULES, NIGHTLY)
    assert fields(post(ops, SCHEDULES, NIGHTLY)) == {
        "name": "A schedule with this name already exists."
    }
    assert Schedule.objects.count() == 1


def test_only_the_given_fields_of_a_schedule_are_changed(ops: APIClient) -> None:
    created = post(ops, SCHEDULES, NIGHTLY).json()
    path = created["links"]["self"]
    changed = described(patch(ops, path, {"cron": "0 4 1 1 *", "queue": "nights"}))
    assert changed["next_at"] != created["next_at"]
    assert (changed["queue"], changed["input"]) == ("nights", NIGHTLY["input"])
    assert described(patch(ops, path, {"queue": None}))["queue"] is None
    assert set(fields(patch(ops, path, {"cron": "never"}))) == {"cron"}
    assert patch(ops, path, {}).status_code == 400
    assert ops.get(path).json()["cron"] == "0 4 1 1 *"


def test_a_schedule_is_disabled_and_enabled(ops: APIClient) -> None:
    path = post(ops, SCHEDULES, NIGHTLY).json()["links"]["self"]
    disabled = described(post(ops, f"{path}/disable"))
    assert (disabled["enabled"], disabled["next_at"]) == (False, None)
    enabled = described(post(ops, f"{path}/enable"))
    assert enabled["enabled"]
    assert enabled["next_at"]


def test_a_disabled_schedule_is_run_by_hand(ops: APIClient, operator: User) -> None:
    schedule = post(ops, SCHEDULES, {**NIGHTLY, "enabled": False}).json()
    response = post(ops, schedule["links"]["run"])
    task = described(response)
    assert response.status_code == 202
    assert response["Location"] == task["links"]["self"]
    assert (task["kind"], task["metadata"]) == ("text.analyze", {"schedule": "Nightly"})
    assert Task.objects.get().owner == operator
    shown = described(ops.get(schedule["links"]["self"]))
    assert shown["links"]["last_task"] == task["links"]["self"]


def test_a_deleted_schedule_is_not_found(ops: APIClient) -> None:
    path = post(ops, SCHEDULES, NIGHTLY).json()["links"]["self"]
    assert ops.delete(path).status_code == 204
    assert described(ops.get(path))["type"] == "/problems/not-found"
    for response in (ops.delete(path), patch(ops, path, {"name": "x"}), post(ops, f"{path}/run")):
        assert response.status_code == 404


def test_only_operators_use_schedules(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, viewer: User, ops: APIClient
) -> None:
    path = post(ops, SCHEDULES, NIGHTLY).json()["links"]["self"]
    for caller, status in ((api, 401), (api_for(user), 403), (api_for(viewer), 403)):
        responses = [
            caller.get(SCHEDULES), caller.get(path), caller.delete(path), post(caller, SCHEDULES),
            patch(caller, path, {}),
            *(post(caller, f"{path}/{action}") for action in ("run", "disable")),
        ]  # fmt: skip
        assert {response.status_code for response in responses} == {status}
    assert Schedule.objects.get().enabled


def test_text_with_control_characters_is_refused(ops: APIClient) -> None:
    nul = {**NIGHTLY, "input": {"text": "a\0b"}}
    assert post(ops, SCHEDULES, nul).status_code == 400
    assert set(fields(post(ops, SCHEDULES, {**NIGHTLY, "name": "a\nb"}))) == {"name"}
    assert not Schedule.objects.exists()


def test_an_unknown_schedule_is_not_found(ops: APIClient) -> None:
    assert ops.get(f"{SCHEDULES}{uuid.uuid4()}").status_code == 404
    assert ops.get(f"{SCHEDULES}nightly").status_code == 404
