from __future__ import annotations

import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from tasks.models import Status, Task
from tests.console.pages import TASKS, button, message, page, text
from tests.factories import make_attempt, make_task

pytestmark = pytest.mark.django_db

OFFERED = {
    "PENDING": {"cancel", "delete"},
    "RETRY": {"cancel", "delete"},
    "PROCESSING": {"cancel"},
    "COMPLETED": {"delete"},
    "FAILED": {"retry", "delete"},
    "CANCELLED": {"retry", "delete"},
}


@pytest.mark.parametrize("name", OFFERED)
def test_an_operator_sees_the_buttons_that_the_status_allows(
    operator, viewer, console, tasks, name
):
    task = tasks[name]
    html = console(operator).get(page(task)).content.decode()
    offered = {verb for verb in ("retry", "cancel", "delete") if button(task, verb) in html}
    assert offered == OFFERED[name]
    assert "/do/" not in console(viewer).get(page(task)).content.decode()


def test_the_page_lists_every_attempt_with_its_outcome(viewer, console):
    task = make_task(Status.COMPLETED, attempt=2, claim_number=2)
    error = {"type": "KeyError", "title": "Key error", "detail": "no such key"}
    make_attempt(
        task, number=1, claim_number=1, error={**error, "traceback": "File kinds.py, line 7"}
    )
    content = text(console(viewer).get(page(task)))
    for words in ("Attempt 2 Completed", "Attempt 1 Failed", "on test:1", "no such key", "line 7"):
        assert words in content


def test_a_large_payload_is_cut(viewer, console):
    task = make_task(Status.COMPLETED, input={"text": "word " * 200_000}, result={"n": 1})
    response = console(viewer).get(page(task))
    assert len(response.content) < 100_000
    assert "Only the first 20000 of 1000016 characters are shown." in text(response)


@pytest.mark.parametrize(("name", "polls"), [("PROCESSING", True), ("COMPLETED", False)])
def test_the_page_polls_until_the_task_has_ended(viewer, console, tasks, name, polls):
    browser = console(viewer)
    whole = browser.get(page(tasks[name])).content.decode()
    part = browser.get(page(tasks[name]), headers={"HX-Request": "true"}).content.decode()
    assert ('hx-trigger="every' in whole) is polls
    assert ('hx-trigger="every' in part) is polls
    assert "<html" not in part


def test_an_operator_can_retry_and_cancel_one_task(operator, console, tasks):
    browser = console(operator)
    task = tasks["FAILED"]
    response = browser.post(button(task, "retry"))
    assert response["Location"] == page(task)
    assert message(response) == "The task was queued again."
    assert message(browser.post(button(task, "cancel"))) == "The task was cancelled."
    response = browser.post(button(tasks["PROCESSING"], "cancel"))
    assert message(response) == "Cancellation requested: the task is stopping."
    assert LogEntry.objects.count() == 3


def test_one_task_is_deleted_after_confirmation(operator, console, tasks):
    browser = console(operator)
    task = tasks["COMPLETED"]
    assert "Delete 1 task?" in text(browser.post(button(task, "delete")))
    assert Task.objects.filter(pk=task.pk).exists()
    response = browser.post(button(task, "delete"), {"confirmed": "yes"})
    assert response["Location"] == reverse(TASKS)
    assert not Task.objects.filter(pk=task.pk).exists()


@pytest.mark.parametrize(
    ("name", "action", "error"),
    [
        ("COMPLETED", "cancel", "A task that is COMPLETED cannot be cancelled."),
        ("PENDING", "retry", "A task that is PENDING cannot be queued again."),
        ("PROCESSING", "delete", "A task that is PROCESSING cannot be deleted."),
    ],
)
def test_an_action_forbidden_by_the_status_is_refused(
    operator, console, tasks, name, action, error
):
    response = console(operator).post(button(tasks[name], action), {"confirmed": "yes"})
    assert message(response) == error
    assert Task.objects.get(pk=tasks[name].pk).status == name
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("action", ["retry", "cancel", "delete"])
def test_a_viewer_cannot_run_an_action_on_a_task(viewer, console, tasks, action):
    for task in tasks.values():
        response = console(viewer).post(button(task, action), {"confirmed": "yes"})
        assert response.status_code == 403
    assert not LogEntry.objects.exists()


def test_an_action_requires_a_post_and_a_known_name(operator, console, tasks):
    browser = console(operator)
    assert browser.get(button(tasks["FAILED"], "retry")).status_code == 405
    assert browser.post(button(tasks["FAILED"], "explode")).status_code == 404


def test_an_unknown_task_has_no_page(operator, console):
    browser = console(operator)
    unknown = reverse("admin:tasks_task_change", args=[uuid.uuid4()])
    assert browser.get(unknown).status_code == 404
    assert browser.get(reverse("admin:tasks_task_change", args=["no-id"])).status_code == 404
    assert browser.post(unknown.replace("change", "do/retry")).status_code == 404
