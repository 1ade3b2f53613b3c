from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from tasks.models import Status, Task
from tests.console.pages import TASKS, message, text

pytestmark = pytest.mark.django_db


def act(browser: Any, action: str, tasks: Any, **more: str) -> Any:
    """Post an action on a selection, as the list's own form does."""
    selected = [str(task.pk) for task in tasks]
    return browser.post(reverse(TASKS), {"action": action, "_selected_action": selected, **more})


def statuses(tasks: dict[str, Task]) -> dict[str, str]:
    found = dict(Task.objects.values_list("pk", "status"))
    return {name: found.get(task.pk, "gone") for name, task in tasks.items()}


def test_an_operator_cancels_a_selection(operator, console, tasks):
    response = act(console(operator), "cancel_selected", tasks.values())
    assert message(response) == "2 of 6 cancelled, 1 asked to stop, 3 had ended."
    now = statuses(tasks)
    assert (now["PENDING"], now["RETRY"]) == ("CANCELLED", "CANCELLED")
    assert now["PROCESSING"] == "PROCESSING"
    assert Task.objects.get(pk=tasks["PROCESSING"].pk).cancel_requested


def test_an_operator_retries_a_selection(operator, console, tasks):
    response = act(console(operator), "retry_selected", tasks.values())
    assert message(response) == "2 of 6 queued again, 4 had neither failed nor been cancelled."
    now = statuses(tasks)
    assert (now["FAILED"], now["CANCELLED"]) == ("PENDING", "PENDING")
    assert now["COMPLETED"] == "COMPLETED"


def test_deleting_a_selection_asks_first(operator, console, tasks):
    browser = console(operator)
    asked = act(browser, "delete_selected", tasks.values())
    assert "Delete 6 tasks?" in text(asked)
    assert Task.objects.count() == 6
    response = act(browser, "delete_selected", tasks.values(), confirmed="yes")
    assert message(response) == "5 of 6 deleted, 1 being processed."
    assert list(Task.objects.values_list("status", flat=True)) == [Status.PROCESSING]


@pytest.mark.parametrize("action", ["retry_selected", "cancel_selected", "delete_selected"])
@pytest.mark.parametrize("more", [{}, {"select_across": "1"}])
def test_a_viewers_hand_made_post_is_refused(viewer, console, tasks, action, more):
    before = statuses(tasks)
    response = act(console(viewer), action, tasks.values(), confirmed="yes", **more)
    assert response.status_code == 403
    assert statuses(tasks) == before
    assert not LogEntry.objects.exists()


def test_operating_without_viewing_is_not_enough(operator, console, tasks):
    operator.user_permissions.remove(operator.user_permissions.get(codename="view_task"))
    response = act(console(operator), "cancel_selected", tasks.values())
    assert response.status_code == 403


def test_the_audit_log_names_exactly_those_that_moved(operator, console, tasks):
    act(console(operator), "cancel_selected", tasks.values())
    entries = LogEntry.objects.all()
    moved = {str(tasks[name].pk) for name in ("PENDING", "RETRY", "PROCESSING")}
    assert {entry.object_id for entry in entries} == moved
    assert {entry.user_id for entry in entries} == {operator.pk}
    assert {entry.change_message for entry in entries} == {"Cancel in the console."}


def test_a_deletion_is_in_the_audit_log(operator, console, tasks):
    task = tasks["FAILED"]
    act(console(operator), "delete_selected", [task], confirmed="yes")
    (entry,) = LogEntry.objects.all()
    assert entry.is_deletion()
    assert entry.object_id == str(task.pk)
