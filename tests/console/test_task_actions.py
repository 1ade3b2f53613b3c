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
    stored = dict(Task.objects.values_list("pk", "status"))
    return {name: stored.get(task.pk, "gone") for name, task in tasks.items()}


def test_an_operator_can_cancel_a_selection(operator, console, tasks):
    response = act(console(operator), "cancel_selected", tasks.values())
    assert message(response) == "2 of 6 tasks cancelled, 1 stopping, 3 already ended."
    now = statuses(tasks)
    assert (now["PENDING"], now["RETRY"]) == ("CANCELLED", "CANCELLED")
    assert now["PROCESSING"] == "PROCESSING"
    assert Task.objects.get(pk=tasks["PROCESSING"].pk).cancel_requested


def test_an_operator_can_retry_a_selection(operator, console, tasks):
    response = act(console(operator), "retry_selected", tasks.values())
    assert message(response) == "2 of 6 tasks queued again, 4 neither failed nor cancelled."
    now = statuses(tasks)
    assert (now["FAILED"], now["CANCELLED"]) == ("PENDING", "PENDING")
    assert now["COMPLETED"] == "COMPLETED"


def test_a_selection_is_deleted_after_confirmation(operator, console, tasks):
    browser = console(operator)
    confirmation = act(browser, "delete_selected", tasks.values())
    assert "Delete 6 tasks?" in text(confirmation)
    assert Task.objects.count() == 6
    response = act(browser, "delete_selected", tasks.values(), confirmed="yes")
    assert message(response) == "5 of 6 tasks deleted, 1 still running."
    assert list(Task.objects.values_list("status", flat=True)) == [Status.PROCESSING]


@pytest.mark.parametrize("action", ["retry_selected", "cancel_selected", "delete_selected"])
@pytest.mark.parametrize("more", [{}, {"select_across": "1"}])
def test_a_viewer_cannot_run_an_action_on_a_selection(viewer, console, tasks, action, more):
    before = statuses(tasks)
    response = act(console(viewer), action, tasks.values(), confirmed="yes", **more)
    assert response.status_code == 403
    assert statuses(tasks) == before
    assert not LogEntry.objects.exists()


def test_the_operate_permission_alone_is_not_enough(operator, console, tasks):
    operator.user_permissions.remove(operator.user_permissions.get(codename="view_task"))
    response = act(console(operator), "cancel_selected", tasks.values())
    assert response.status_code == 403


def test_the_audit_log_names_exactly_the_changed_tasks(operator, console, tasks):
    act(console(operator), "cancel_selected", tasks.values())
    entries = LogEntry.objects.all()
    changed = {str(tasks[name].pk) for name in ("PENDING", "RETRY", "PROCESSING")}
    assert {entry.object_id for entry in entries} == changed
    assert {entry.user_id for entry in entries} == {operator.pk}
    assert {entry.change_message for entry in entries} == {"Cancel requested in the console."}


def test_the_audit_log_has_an_entry_for_a_deletion(operator, console, tasks):
    task = tasks["FAILED"]
    act(console(operator), "delete_selected", [task], confirmed="yes")
    (entry,) = LogEntry.objects.all()
    assert entry.is_deletion()
    assert entry.object_id == str(task.pk)
