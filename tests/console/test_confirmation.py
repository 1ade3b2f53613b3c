"""Confirmation of deletions: all that was selected is deleted, and nothing else."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.console.pages import TASKS, message, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

GROUP = "admin:tasks_task_act_on_group"
ACROSS = {
    "action": "delete_selected",
    "select_across": "1",
    "_selected_action": "01a200d2-1dab-7673-843c-a7a7b68757af",
}


def hidden(response: Any) -> dict[str, list[str]]:
    """Return the fields of the form that asks to confirm."""
    form = response.content.decode().partition("ops-narrow")[2].partition("</form>")[0]
    pairs = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: [value for key, value in pairs if key == name] for name, _ in pairs}


def submit(count: int, queue: str) -> None:
    lifecycle.submit_many([prepare("test.script", queue=queue) for _ in range(count)])


def test_three_thousand_selected_tasks_are_deleted_and_no_others(operator, console):
    submit(3_000, "many")
    submit(1, "other")
    browser, address = console(operator), f"{reverse(TASKS)}?queue=many"
    selected = [str(pk) for pk in Task.objects.values_list("pk", flat=True)[:25]]
    asked = browser.post(address, {**ACROSS, "_selected_action": selected})
    assert "Delete 3000 tasks?" in text(asked)
    assert "nor tasks that appear, start or end from now on." in text(asked)
    assert sorted(hidden(asked)) == [
        "_selected_action", "action", "confirmed", "csrfmiddlewaretoken", "select_across",
        "shown_at",
    ]  # fmt: skip
    assert hidden(asked)["_selected_action"] == selected[-1:]
    assert len(asked.content) < 200_000
    response = browser.post(address, hidden(asked))
    assert message(response) == "3000 tasks deleted."
    assert Task.objects.get().queue == "other"
    assert LogEntry.objects.count() == 3_000


@pytest.mark.parametrize(
    ("action", "words", "status"),
    [
        ("cancel_selected", "cancelled", Status.CANCELLED),
        ("retry_selected", "queued again", Status.PENDING),
    ],
)
def test_three_thousand_selected_tasks_are_moved(operator, console, action, words, status):
    submit(3_000, "many")
    if action == "retry_selected":
        lifecycle.cancel_many(list(Task.objects.values_list("pk", flat=True)))
    response = console(operator).post(reverse(TASKS), {**ACROSS, "action": action})
    assert message(response) == f"3000 tasks {words}."
    assert Task.objects.filter(status=status).count() == 3_000


def test_what_appeared_or_changed_after_the_page_was_shown_is_kept(operator, console):
    waiting, failed = make_task(), make_task(Status.FAILED)
    will_end, will_start = make_task(), make_task()
    browser = console(operator)
    asked = browser.post(reverse(TASKS), ACROSS)
    assert "Delete 4 tasks?" in text(asked)
    later = timezone.now() + dt.timedelta(seconds=1)
    Task.objects.filter(pk=will_end.pk).update(
        status=Status.FAILED, finished_at=later, started_at=later, job_id=None
    )
    Task.objects.filter(pk=will_start.pk).update(started_at=later, attempt=1, claim_number=1)
    new = make_task(created_at=later)
    response = browser.post(reverse(TASKS), hidden(asked))
    assert message(response) == "2 tasks deleted."
    assert not Task.objects.filter(pk__in=[waiting.pk, failed.pk]).exists()
    assert Task.objects.filter(pk__in=[will_end.pk, will_start.pk, new.pk]).count() == 3


def test_tasks_that_were_ticked_are_deleted_even_if_they_ended_meanwhile(operator, console):
    ticked, other = make_task(), make_task()
    browser = console(operator)
    asked = browser.post(
        reverse(TASKS), {"action": "delete_selected", "_selected_action": str(ticked.pk)}
    )
    lifecycle.cancel(ticked)
    assert hidden(asked)["_selected_action"] == [str(ticked.pk)]
    assert message(browser.post(reverse(TASKS), hidden(asked))) == "The task was deleted."
    assert Task.objects.get().pk == other.pk


def test_dead_letters_that_failed_after_the_page_was_shown_are_kept(operator, console):
    group = {"verb": "delete", "kind": "test.script", "error": "ValueError"}
    make_task(Status.FAILED)
    browser = console(operator)
    asked = browser.post(reverse(GROUP), group)
    assert "Delete 1 dead letter?" in text(asked)
    new = make_task(Status.FAILED, finished_at=timezone.now() + dt.timedelta(seconds=1))
    browser.post(reverse(GROUP), hidden(asked))
    assert Task.objects.get().pk == new.pk


@pytest.mark.parametrize("shown_at", ["", "soon", "2026-12-01", "\0"])
def test_an_invalid_time_of_the_page_is_refused_and_deletes_nothing(operator, console, shown_at):
    make_task(Status.FAILED)
    confirmed = {"confirmed": "yes", "shown_at": shown_at}
    group = {"verb": "delete", "kind": "test.script", "error": "ValueError"}
    browser = console(operator)
    assert browser.post(reverse(GROUP), {**group, **confirmed}).status_code == 400
    assert browser.post(reverse(TASKS), {**ACROSS, **confirmed}).status_code == 400
    assert Task.objects.count() == 1


@pytest.mark.parametrize("screen", ["admin:auth_user_changelist", "admin:auth_group_changelist"])
def test_accounts_are_selected_page_by_page_only(admin_client, screen, django_user_model):
    django_user_model.objects.bulk_create(django_user_model(username=f"u{n}") for n in range(300))
    page = admin_client.get(reverse(screen)).content.decode()
    assert "across all pages" not in page
