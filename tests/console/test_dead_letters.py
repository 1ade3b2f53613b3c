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


def failed() -> list[tuple[str, str | None]]:
    rows = Task.objects.filter(status=Status.FAILED).order_by("id")
    return [(task.kind, task.error and task.error["type"]) for task in rows]


def test_failures_are_grouped_by_kind_and_error(viewer, console):
    seen = text(console(viewer).get(reverse("admin:tasks_task_dead_letters")))
    assert "a.kind KeyError 3" in seen
    assert "a.kind ValueError 1" in seen
    assert "other.kind - 1" in seen
    assert "Retry all" not in seen


def test_an_operator_retries_a_whole_group(operator, console):
    response = console(operator).post(
        reverse(ACT), {"verb": "retry", "kind": "a.kind", "error": "KeyError"}
    )
    assert message(response) == "a.kind, KeyError: 3 queued again."
    assert failed() == [("a.kind", "ValueError"), ("other.kind", None)]
    assert LogEntry.objects.count() == 3


def test_of_a_big_group_the_limit_is_retried_and_the_rest_is_announced(
    operator, console, monkeypatch
):
    monkeypatch.setattr("tasks.console.dead_letters.LIMIT", 2)
    monkeypatch.setattr("tasks.lifecycle.verbs.MATCHING_CHUNK", 1)
    browser, group = console(operator), {"verb": "retry", "kind": "a.kind", "error": "KeyError"}
    response = browser.post(reverse(ACT), group)
    assert [str(one) for one in get_messages(response.wsgi_request)] == [
        "a.kind, KeyError: 2 queued again.",
        "There are more: do it again for the rest.",
    ]
    assert LogEntry.objects.count() == 2
    response = browser.post(reverse(ACT), group)
    assert message(response) == "a.kind, KeyError: The task is queued again."
    assert failed() == [("a.kind", "ValueError"), ("other.kind", None)]


def test_an_operator_deletes_a_group_without_a_type_once_it_is_confirmed(operator, console):
    browser = console(operator)
    group = {"verb": "delete", "kind": "other.kind", "error": "-"}
    assert "Delete 1 dead letter?" in text(browser.post(reverse(ACT), group))
    assert len(failed()) == 5
    browser.post(reverse(ACT), {**group, "confirmed": "yes"})
    assert ("other.kind", None) not in failed()


@pytest.mark.parametrize("verb", ["retry", "delete"])
def test_a_viewer_touches_no_group(viewer, console, verb):
    wanted = {"verb": verb, "kind": "a.kind", "error": "KeyError", "confirmed": "yes"}
    assert console(viewer).post(reverse(ACT), wanted).status_code == 403
    assert len(failed()) == 5


@pytest.mark.parametrize(
    "wanted", [{}, {"verb": "cancel", "kind": "a.kind", "error": "-"}, {"verb": "retry"}]
)
def test_a_group_must_be_named(operator, console, wanted):
    assert console(operator).post(reverse(ACT), wanted).status_code == 404
    assert console(operator).get(reverse(ACT)).status_code == 405
