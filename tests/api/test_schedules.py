from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from tasks.models import Schedule, Task
from tests.api.described import described, fields, post

pytestmark = pytest.mark.django_db

SCHEDULES = "/api/v1/schedules/"
WANTED: dict[str, Any] = {
    "name": "Nightly",
    "kind": "text.analyze",
    "input": {"text": "To be, or not to be."},
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
}


@pytest.fixture(autouse=True)
def _no_schedules(db: None) -> None:
    """Forget those that an installation begins with."""
    Schedule.objects.all().delete()


@pytest.fixture
def ops(api_for: Callable[[User], APIClient], operator: User) -> APIClient:
    """Return an operator's client."""
    return api_for(operator)


def patch(api: APIClient, path: str, body: Any) -> Any:
    """Send changes."""
    return api.patch(path, orjson.dumps(body).decode(), content_type="application/json")


def test_a_schedule_is_made_and_shown(ops: APIClient, operator: User) -> None:
    response = post(ops, SCHEDULES, WANTED)
    made = described(response)
    assert response.status_code == 201
    assert response["Location"] == made["links"]["self"]
    assert {name: made[name] for name in WANTED} == WANTED
    assert (made["enabled"], made["queue"], made["last_at"]) == (True, None, None)
    assert made["next_at"] > timezone.now().isoformat()
    assert Schedule.objects.get().owner == operator
    assert described(ops.get(made["links"]["self"])) == made


def test_schedules_are_listed_by_the_page(ops: APIClient) -> None:
    for number in range(3):
        post(ops, SCHEDULES, {**WANTED, "name": f"schedule {number}"})
    first = described(ops.get(SCHEDULES, {"page_size": 2}))
    assert [one["name"] for one in first["results"]] == ["schedule 2", "schedule 1"]
    second = described(ops.get(first["next"]))
    assert [one["name"] for one in second["results"]] == ["schedule 0"]
    assert second["next"] is None


def test_what_is_wrong_is_named_by_its_field(ops: APIClient) -> None:
    wrong = {**WANTED, "cron": "61 2 * * *", "timezone": "Mars/Base", "kind": "no.such"}
    assert set(fields(post(ops, SCHEDULES, wrong))) == {"cron", "timezone", "kind"}
    assert set(fields(post(ops, SCHEDULES, {**WANTED, "cron": "0 0 2 * * *"}))) == {"cron"}
    assert set(fields(post(ops, SCHEDULES, {**WANTED, "input": {}}))) == {"input"}
    assert set(fields(post(ops, SCHEDULES, {"kind": 1, "extra": 1}))) == {
        "kind", "name", "cron", "extra",
    }  # fmt: skip
    post(ops, SCHEDULES, WANTED)
    assert fields(post(ops, SCHEDULES, WANTED)) == {"name": "There is a schedule of this name."}
    assert Schedule.objects.count() == 1


def test_a_schedule_is_changed_in_part(ops: APIClient) -> None:
    made = post(ops, SCHEDULES, WANTED).json()
    own = made["links"]["self"]
    changed = described(patch(ops, own, {"cron": "0 4 1 1 *", "queue": "nights"}))
    assert changed["next_at"] != made["next_at"]
    assert (changed["queue"], changed["input"]) == ("nights", WANTED["input"])
    assert described(patch(ops, own, {"queue": None}))["queue"] is None
    assert set(fields(patch(ops, own, {"cron": "never"}))) == {"cron"}
    assert patch(ops, own, {}).status_code == 400
    assert ops.get(own).json()["cron"] == "0 4 1 1 *"


def test_a_schedule_is_switched_off_and_on(ops: APIClient) -> None:
    own = post(ops, SCHEDULES, WANTED).json()["links"]["self"]
    off = described(post(ops, f"{own}/disable"))
    assert (off["enabled"], off["next_at"]) == (False, None)
    on = described(post(ops, f"{own}/enable"))
    assert on["enabled"]
    assert on["next_at"]


def test_a_schedule_runs_now(ops: APIClient, operator: User) -> None:
    made = post(ops, SCHEDULES, {**WANTED, "enabled": False}).json()
    response = post(ops, made["links"]["run"])
    task = described(response)
    assert response.status_code == 202
    assert response["Location"] == task["links"]["self"]
    assert (task["kind"], task["metadata"]) == ("text.analyze", {"schedule": "Nightly"})
    assert Task.objects.get().owner == operator
    shown = described(ops.get(made["links"]["self"]))
    assert shown["links"]["last_task"] == task["links"]["self"]


def test_a_schedule_is_deleted(ops: APIClient) -> None:
    own = post(ops, SCHEDULES, WANTED).json()["links"]["self"]
    assert ops.delete(own).status_code == 204
    assert described(ops.get(own))["type"] == "/problems/not-found"
    for answer in (ops.delete(own), patch(ops, own, {"name": "x"}), post(ops, f"{own}/run")):
        assert answer.status_code == 404


def test_schedules_are_for_operators(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, viewer: User, ops: APIClient
) -> None:
    own = post(ops, SCHEDULES, WANTED).json()["links"]["self"]
    for caller, status in ((api, 401), (api_for(user), 403), (api_for(viewer), 403)):
        answers = [
            caller.get(SCHEDULES), caller.get(own), caller.delete(own), post(caller, SCHEDULES),
            patch(caller, own, {}), *(post(caller, f"{own}/{do}") for do in ("run", "disable")),
        ]  # fmt: skip
        assert {answer.status_code for answer in answers} == {status}
    assert Schedule.objects.get().enabled


def test_what_cannot_be_stored_is_refused(ops: APIClient) -> None:
    nul = {**WANTED, "input": {"text": "a\0b"}}
    assert post(ops, SCHEDULES, nul).status_code == 400
    assert set(fields(post(ops, SCHEDULES, {**WANTED, "name": "a\nb"}))) == {"name"}
    assert not Schedule.objects.exists()


def test_an_unknown_schedule_is_not_found(ops: APIClient) -> None:
    assert ops.get(f"{SCHEDULES}{uuid.uuid4()}").status_code == 404
    assert ops.get(f"{SCHEDULES}nightly").status_code == 404
