from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from tasks import schedules
from tasks.models import Schedule, Task
from tests.console.pages import message, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

SCHEDULES = "admin:tasks_schedule_changelist"
ADD = "admin:tasks_schedule_add"
WANTED: dict[str, Any] = {
    "name": "Nightly",
    "kind": "text.analyze",
    "input": json.dumps({"text": "To be, or not to be."}),
    "queue": "",
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "enabled": "on",
}


@pytest.fixture(autouse=True)
def _no_schedules(db: None) -> None:
    """Forget those that an installation begins with."""
    Schedule.objects.all().delete()


@pytest.fixture
def schedule() -> Schedule:
    return schedules.create(
        name="Nightly", kind="text.analyze", input={"text": "To be."}, cron="30 2 * * *"
    )


def page(schedule: Schedule) -> str:
    return reverse("admin:tasks_schedule_change", args=[schedule.pk])


def act(schedule: Schedule) -> str:
    return reverse("admin:tasks_schedule_act", args=[schedule.pk])


def test_every_schedule_is_listed_with_its_next_and_last_run(viewer, console, schedule):
    task = schedules.run_now(schedule)
    response = console(viewer).get(reverse(SCHEDULES))
    seen = text(response)
    assert "Nightly text.analyze On At 02:30" in seen
    assert "30 2 * * * UTC" in seen
    assert "Pending" in seen
    assert reverse("admin:tasks_task_change", args=[task.pk]) in response.content.decode()
    assert "Run now" not in seen
    assert "New schedule" not in seen


def test_a_last_task_that_was_deleted_is_not_linked(viewer, console, schedule):
    schedules.run_now(schedule)
    Task.objects.all().delete()
    assert console(viewer).get(reverse(SCHEDULES)).status_code == 200


def test_an_operator_makes_a_schedule(operator, console):
    browser = console(operator)
    assert browser.get(reverse(ADD)).status_code == 200
    response = browser.post(reverse(ADD), WANTED)
    assert message(response) == "Nightly is made."
    made = Schedule.objects.get()
    assert (made.input, made.owner, made.enabled) == (
        {"text": "To be, or not to be."}, operator, True,
    )  # fmt: skip
    assert LogEntry.objects.get().is_addition()


@pytest.mark.parametrize(
    ("field", "wrong", "said"),
    [
        ("cron", "61 2 * * *", "Bad minute"),
        ("cron", "0 0 2 * * *", "Five fields"),
        ("name", "", "required"),
        ("kind", "no.such", "Select a valid choice"),
        ("timezone", "Mars/Base", "Select a valid choice"),
        ("input", "{}", "required property"),
        ("input", "", "required property"),
        ("input", "[]", "JSON object"),
        ("input", "{oops", "JSON"),
        ("input", '{"text": "\\u0000"}', "NUL"),
        ("queue", "no name", "Use up to 40"),
    ],
)
def test_a_wrong_form_is_shown_again_with_what_is_wrong(operator, console, field, wrong, said):
    response = console(operator).post(reverse(ADD), {**WANTED, field: wrong})
    assert response.status_code == 200
    assert said in str(response.context["form"].errors[field])
    assert not Schedule.objects.exists()
    assert not LogEntry.objects.exists()


def test_an_operator_changes_a_schedule(operator, console, schedule):
    browser = console(operator)
    assert "The next 5 ticks" in text(browser.get(page(schedule)))
    response = browser.post(page(schedule), {**WANTED, "cron": "0 4 * * *", "enabled": ""})
    assert message(response) == "Nightly is changed."
    changed = Schedule.objects.get()
    assert (changed.cron, changed.timezone, changed.enabled) == (
        "0 4 * * *", "Europe/Berlin", False,
    )  # fmt: skip
    said = LogEntry.objects.get().change_message
    assert said == "Changed: input, cron, timezone, enabled."


def test_a_name_that_is_taken_is_told_in_the_form(operator, console, schedule):
    other = schedules.create(name="Other", kind="compute", input={}, cron="0 1 * * *")
    response = console(operator).post(page(other), WANTED)
    assert "A schedule with this name already exists." in text(response)
    assert Schedule.objects.get(pk=other.pk).kind == "compute"


def test_a_schedule_of_a_kind_that_is_no_more_is_shown_and_switched_off(
    operator, console, schedule
):
    Schedule.objects.update(kind="of.yesterday")
    browser = console(operator)
    assert "There is no kind named" in text(browser.get(reverse(SCHEDULES)))
    assert browser.get(page(schedule)).status_code == 200
    assert "no kind named" in message(browser.post(act(schedule), {"verb": "run"}))
    assert message(browser.post(act(schedule), {"verb": "disable"})) == "Nightly is off."


def test_an_operator_switches_and_runs_a_schedule(operator, console, schedule):
    browser = console(operator)
    assert message(browser.post(act(schedule), {"verb": "disable"})) == "Nightly is off."
    assert "Off" in text(browser.get(reverse(SCHEDULES)))
    assert message(browser.post(act(schedule), {"verb": "enable"})) == "Nightly is on."
    assert not Task.objects.exists()
    assert "is queued" in message(browser.post(act(schedule), {"verb": "run"}))
    assert Task.objects.get().metadata == {"schedule": "Nightly"}
    said = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert said[:2] == ["Switched off.", "Switched on."]
    assert said[2] == f"Run by hand: task {Task.objects.get().pk}."
    assert browser.post(act(schedule), {"verb": "drop"}).status_code == 404
    assert browser.get(act(schedule)).status_code == 405


def test_a_schedule_is_deleted_once_it_is_confirmed(operator, console, schedule):
    browser = console(operator)
    address = reverse("admin:tasks_schedule_delete", args=[schedule.pk])
    assert "Delete Nightly?" in text(browser.get(address))
    assert Schedule.objects.exists()
    assert message(browser.post(address)) == "Nightly is deleted."
    assert not Schedule.objects.exists()
    assert LogEntry.objects.get().is_deletion()
    assert browser.get(page(schedule)).status_code == 404


def test_a_viewer_looks_and_changes_nothing(viewer, console, schedule):
    browser = console(viewer)
    response = browser.get(page(schedule))
    assert response.status_code == 200
    assert "Save" not in text(response)
    assert all(field.disabled for field in response.context["form"].fields.values())
    delete = reverse("admin:tasks_schedule_delete", args=[schedule.pk])
    for address in (reverse(ADD), page(schedule), act(schedule), delete):
        assert browser.post(address, {**WANTED, "verb": "run"}).status_code == 403
    assert browser.get(reverse(ADD)).status_code == 403
    assert not Task.objects.exists()
    assert Schedule.objects.get().timezone == "UTC"


def test_what_a_schedule_says_is_escaped(operator, console, schedule):
    attack = "<script>alert(1)</script>\"'><img src=x>"
    Schedule.objects.update(name=attack, last_error=attack, queue=attack, kind=attack)
    task = make_task(kind=attack)
    Schedule.objects.update(last_task_id=task.pk)
    browser = console(operator)
    for address in (reverse(SCHEDULES), page(schedule)):
        seen = browser.get(address).content.decode()
        assert "<script>alert" not in seen
        assert "<img src=x" not in seen
