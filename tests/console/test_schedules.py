from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from tasks import schedules
from tasks.models import Schedule, ScheduleRun, Task
from tests.console.pages import message, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

SCHEDULES = "admin:tasks_schedule_changelist"
ADD = "admin:tasks_schedule_add"
FIELDS: dict[str, Any] = {
    "name": "Nightly",
    "kind": "text.analyze",
    "input": json.dumps({"text": "To be, or not to be."}),
    "queue": "",
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "enabled": "on",
    "overlap": "skip",
    "catch_up": "none",
    "jitter": "5",
}


@pytest.fixture(autouse=True)
def _no_schedules(db: None) -> None:
    """Delete the schedules that the migration creates."""
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


def test_the_list_shows_every_schedule_with_its_next_and_last_run(viewer, console, schedule):
    task = schedules.run_now(schedule)
    response = console(viewer).get(reverse(SCHEDULES))
    words = text(response)
    assert "Nightly text.analyze Enabled At 02:30" in words
    assert "30 2 * * * UTC" in words
    assert "Pending" in words
    assert reverse("admin:tasks_task_change", args=[task.pk]) in response.content.decode()
    assert "Run now" not in words
    assert "New schedule" not in words


def test_a_last_task_that_was_deleted_is_not_linked(viewer, console, schedule):
    schedules.run_now(schedule)
    Task.objects.all().delete()
    assert console(viewer).get(reverse(SCHEDULES)).status_code == 200


def test_an_operator_can_create_a_schedule(operator, console):
    browser = console(operator)
    assert browser.get(reverse(ADD)).status_code == 200
    response = browser.post(reverse(ADD), FIELDS)
    assert message(response) == "Nightly was created."
    schedule = Schedule.objects.get()
    assert (schedule.input, schedule.owner, schedule.enabled) == (
        {"text": "To be, or not to be."}, operator, True,
    )  # fmt: skip
    assert (schedule.overlap, schedule.catch_up, schedule.jitter) == ("skip", "none", 5)
    assert LogEntry.objects.get().is_addition()


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("cron", "61 2 * * *", "Bad minute"),
        ("cron", "0 0 2 * * *", "Five fields"),
        ("name", "", "required"),
        ("kind", "no.such", "Select a valid choice"),
        ("timezone", "Mars/Base", "Select a valid choice"),
        ("input", "{}", "This field is required."),
        ("input", "", "This field is required."),
        ("input", "[]", "JSON object"),
        ("input", "{oops", "JSON"),
        ("input", '{"text": "\\u0000"}', "NUL"),
        ("queue", "no name", "Use at most 40 characters: letters"),
    ],
)
def test_an_invalid_form_is_shown_again_with_its_errors(operator, console, field, value, error):
    response = console(operator).post(reverse(ADD), {**FIELDS, field: value})
    assert response.status_code == 200
    assert error in str(response.context["form"].errors[field])
    assert not Schedule.objects.exists()
    assert not LogEntry.objects.exists()


def test_an_operator_can_change_a_schedule(operator, console, schedule):
    browser = console(operator)
    assert "Next 5 runs" in text(browser.get(page(schedule)))
    response = browser.post(page(schedule), {**FIELDS, "cron": "0 4 * * *", "enabled": ""})
    assert message(response) == "Nightly was changed."
    changed = Schedule.objects.get()
    assert (changed.cron, changed.timezone, changed.enabled) == (
        "0 4 * * *", "Europe/Berlin", False,
    )  # fmt: skip
    entry = LogEntry.objects.get()
    assert entry.change_message == (
        "Changed: input, cron, timezone, enabled, overlap, catch_up, jitter."
    )


def test_a_name_in_use_is_an_error_in_the_form(operator, console, schedule):
    other = schedules.create(name="Other", kind="compute", input={}, cron="0 1 * * *")
    response = console(operator).post(page(other), FIELDS)
    assert "A schedule with this name already exists." in text(response)
    assert Schedule.objects.get(pk=other.pk).kind == "compute"


def test_a_schedule_of_an_unregistered_kind_is_shown_and_can_be_disabled(
    operator, console, schedule
):
    Schedule.objects.update(kind="of.yesterday")
    browser = console(operator)
    assert "There is no kind named" in text(browser.get(reverse(SCHEDULES)))
    assert browser.get(page(schedule)).status_code == 200
    assert "no kind named" in message(browser.post(act(schedule), {"verb": "run"}))
    assert message(browser.post(act(schedule), {"verb": "disable"})) == "Nightly was disabled."


def test_an_operator_can_disable_enable_and_run_a_schedule(operator, console, schedule):
    browser = console(operator)
    assert message(browser.post(act(schedule), {"verb": "disable"})) == "Nightly was disabled."
    assert "Disabled" in text(browser.get(reverse(SCHEDULES)))
    assert message(browser.post(act(schedule), {"verb": "enable"})) == "Nightly was enabled."
    assert not Task.objects.exists()
    assert "was submitted" in message(browser.post(act(schedule), {"verb": "run"}))
    assert Task.objects.get().metadata == {"schedule": "Nightly"}
    changes = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert changes[:2] == ["Disabled.", "Enabled."]
    assert changes[2] == f"Run now: task {Task.objects.get().pk}."
    assert browser.post(act(schedule), {"verb": "drop"}).status_code == 404
    assert browser.get(act(schedule)).status_code == 405


def test_a_schedule_is_deleted_after_confirmation(operator, console, schedule):
    browser = console(operator)
    address = reverse("admin:tasks_schedule_delete", args=[schedule.pk])
    assert "Delete Nightly?" in text(browser.get(address))
    assert Schedule.objects.exists()
    assert message(browser.post(address)) == "Nightly was deleted."
    assert not Schedule.objects.exists()
    assert LogEntry.objects.get().is_deletion()
    assert browser.get(page(schedule)).status_code == 404


def test_a_viewer_can_see_but_not_change_a_schedule(viewer, console, schedule):
    browser = console(viewer)
    response = browser.get(page(schedule))
    assert response.status_code == 200
    assert "Save" not in text(response)
    assert all(field.disabled for field in response.context["form"].fields.values())
    delete = reverse("admin:tasks_schedule_delete", args=[schedule.pk])
    for address in (reverse(ADD), page(schedule), act(schedule), delete):
        assert browser.post(address, {**FIELDS, "verb": "run"}).status_code == 403
    assert browser.get(reverse(ADD)).status_code == 403
    assert not Task.objects.exists()
    assert Schedule.objects.get().timezone == "UTC"


def test_markup_in_a_schedule_is_escaped(operator, console, schedule):
    attack = "<script>alert(1)</script>\"'><img src=x>"
    Schedule.objects.update(name=attack, last_error=attack, queue=attack, kind=attack)
    task = make_task(kind=attack)
    Schedule.objects.update(last_task_id=task.pk)
    browser = console(operator)
    for address in (reverse(SCHEDULES), page(schedule)):
        html = browser.get(address).content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_the_page_shows_the_runs_with_their_tasks(operator, console, schedule):
    task = schedules.run_now(schedule)
    gone = schedules.run_now(schedule)
    Task.objects.filter(pk=gone.pk).delete()
    ScheduleRun.objects.create(
        schedule=schedule, tick=timezone.now(), at=timezone.now(), note="Left out: requested."
    )
    shown = text(console(operator).get(page(schedule)))
    assert "Left out: requested." in shown
    assert "deleted since" in shown
    assert task.get_status_display() in shown
