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
def test_the_buttons_are_those_that_the_status_allows(operator, viewer, console, tasks, name):
    task = tasks[name]
    seen = console(operator).get(page(task)).content.decode()
    offered = {verb for verb in ("retry", "cancel", "delete") if button(task, verb) in seen}
    assert offered == OFFERED[name]
    assert "/do/" not in console(viewer).get(page(task)).content.decode()


def test_every_attempt_is_told_with_its_end(viewer, console):
    task = make_task(Status.COMPLETED, attempt=2, claim_number=2)
    error = {"type": "KeyError", "title": "Key error", "detail": "no such key"}
    make_attempt(
        task, number=1, claim_number=1, error={**error, "traceback": "File kinds.py, line 7"}
    )
    seen = text(console(viewer).get(page(task)))
    for words in ("Attempt 2 Completed", "Attempt 1 Failed", "on test:1", "no such key", "line 7"):
        assert words in seen


def test_a_big_payload_is_cut(viewer, console):
    task = make_task(Status.COMPLETED, input={"text": "word " * 200_000}, result={"n": 1})
    response = console(viewer).get(page(task))
    assert len(response.content) < 100_000
    assert "The first 20000 of 1000016 characters." in text(response)


@pytest.mark.parametrize(("name", "polls"), [("PROCESSING", True), ("COMPLETED", False)])
def test_the_page_polls_while_the_task_is_alive(viewer, console, tasks, name, polls):
    browser = console(viewer)
    whole = browser.get(page(tasks[name])).content.decode()
    part = browser.get(page(tasks[name]), headers={"HX-Request": "true"}).content.decode()
    assert ('hx-trigger="every' in whole) is polls
    assert ('hx-trigger="every' in part) is polls
    assert "<html" not in part


def test_an_operator_retries_and_cancels_one_task(operator, console, tasks):
    browser = console(operator)
    task = tasks["FAILED"]
    response = browser.post(button(task, "retry"))
    assert response["Location"] == page(task)
    assert message(response) == "The task is queued again."
    assert message(browser.post(button(task, "cancel"))) == "The task is cancelled."
    asked = browser.post(button(tasks["PROCESSING"], "cancel"))
    assert message(asked) == "The task is asked to stop."
    assert LogEntry.objects.count() == 3


def test_an_operator_deletes_one_task_once_it_is_confirmed(operator, console, tasks):
    browser = console(operator)
    task = tasks["COMPLETED"]
    assert "Delete 1 task?" in text(browser.post(button(task, "delete")))
    assert Task.objects.filter(pk=task.pk).exists()
    response = browser.post(button(task, "delete"), {"confirmed": "yes"})
    assert response["Location"] == reverse(TASKS)
    assert not Task.objects.filter(pk=task.pk).exists()


@pytest.mark.parametrize(
    ("name", "verb", "said"),
    [
        ("COMPLETED", "cancel", "A task that is COMPLETED cannot be cancelled."),
        ("PENDING", "retry", "A task that is PENDING cannot be queued again."),
        ("PROCESSING", "delete", "A task that is PROCESSING cannot be deleted."),
    ],
)
def test_a_verb_that_the_status_forbids_is_refused(operator, console, tasks, name, verb, said):
    response = console(operator).post(button(tasks[name], verb), {"confirmed": "yes"})
    assert message(response) == said
    assert Task.objects.get(pk=tasks[name].pk).status == name
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("verb", ["retry", "cancel", "delete"])
def test_a_viewers_hand_made_post_is_refused(viewer, console, tasks, verb):
    for task in tasks.values():
        response = console(viewer).post(button(task, verb), {"confirmed": "yes"})
        assert response.status_code == 403
    assert not LogEntry.objects.exists()


def test_nothing_happens_on_a_get(operator, console, tasks):
    browser = console(operator)
    assert browser.get(button(tasks["FAILED"], "retry")).status_code == 405
    assert browser.post(button(tasks["FAILED"], "explode")).status_code == 404


def test_an_unknown_task_has_no_page(operator, console):
    browser = console(operator)
    unknown = reverse("admin:tasks_task_change", args=[uuid.uuid4()])
    assert browser.get(unknown).status_code == 404
    assert browser.get(reverse("admin:tasks_task_change", args=["no-id"])).status_code == 404
    assert browser.post(unknown.replace("change", "do/retry")).status_code == 404
