from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.urls import reverse

from tasks.models import Status, Task
from tests.console.pages import message, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

ACT = "admin:tasks_task_act_on_group"


@pytest.fixture(autouse=True)
def _failures(db: None) -> None:
    for _ in range(3):
        make_task(Status.FAILED, kind="a.kind", error={"type": "KeyError"})
    make_task(Status.FAILED, kind="a.kind", error={"type": "ValueError"})
    make_task(Status.FAILED, kind="other.kind", error=None)
    make_task(Status.COMPLETED, kind="a.kind")


def failures() -> list[tuple[str, str | None]]:
    rows = Task.objects.filter(status=Status.FAILED).order_by("id")
    return [(task.kind, task.error and task.error["type"]) for task in rows]


def test_dead_letters_are_grouped_by_kind_and_error(viewer, console):
    words = text(console(viewer).get(reverse("admin:tasks_task_dead_letters")))
    assert "a.kind KeyError 3" in words
    assert "a.kind ValueError 1" in words
    assert "other.kind - 1" in words
    assert "Retry all" not in words


def test_an_operator_can_retry_a_whole_group(operator, console):
    response = console(operator).post(
        reverse(ACT), {"verb": "retry", "kind": "a.kind", "error": "KeyError"}
    )
    assert message(response) == "a.kind, KeyError: 3 tasks queued again."
    assert failures() == [("a.kind", "ValueError"), ("other.kind", None)]
    assert LogEntry.objects.count() == 3


def test_a_group_above_the_limit_is_retried_in_parts_with_a_warning(operator, console, monkeypatch):
    monkeypatch.setattr("tasks.console.dead_letters.LIMIT", 2)
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 1)
    browser, group = console(operator), {"verb": "retry", "kind": "a.kind", "error": "KeyError"}
    response = browser.post(reverse(ACT), group)
    assert [str(entry) for entry in get_messages(response.wsgi_request)] == [
        "a.kind, KeyError: 2 tasks queued again.",
        "More tasks have this kind and error. Repeat the action for them.",
    ]
    assert LogEntry.objects.count() == 2
    response = browser.post(reverse(ACT), group)
    assert message(response) == "a.kind, KeyError: The task was queued again."
    assert failures() == [("a.kind", "ValueError"), ("other.kind", None)]


def test_a_group_without_an_error_type_is_deleted_after_confirmation(operator, console):
    browser = console(operator)
    group = {"verb": "delete", "kind": "other.kind", "error": "-"}
    assert "Delete 1 dead letter?" in text(browser.post(reverse(ACT), group))
    assert len(failures()) == 5
    browser.post(reverse(ACT), {**group, "confirmed": "yes"})
    assert ("other.kind", None) not in failures()


@pytest.mark.parametrize("verb", ["retry", "delete"])
def test_a_viewer_cannot_change_a_group(viewer, console, verb):
    fields = {"verb": verb, "kind": "a.kind", "error": "KeyError", "confirmed": "yes"}
    assert console(viewer).post(reverse(ACT), fields).status_code == 403
    assert len(failures()) == 5


@pytest.mark.parametrize(
    "fields", [{}, {"verb": "cancel", "kind": "a.kind", "error": "-"}, {"verb": "retry"}]
)
def test_an_action_on_an_incomplete_or_unknown_group_is_not_found(operator, console, fields):
    assert console(operator).post(reverse(ACT), fields).status_code == 404
    assert console(operator).get(reverse(ACT)).status_code == 405
