"""The screen of limits: seen by viewers, changed by operators, every change in the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse

import tasks
from tasks import limits
from tasks.models import Limit, Scope
from tests.console.pages import message, text
from tests.factories import make_worker
from tests.lifecycle.claiming import claim
from tests.limits.rules import make_limit

pytestmark = pytest.mark.django_db

LIST = "admin:tasks_limit_changelist"
ADD = "admin:tasks_limit_add"
FIELDS: dict[str, Any] = {
    "scope": "key", "name": "test.script", "by": "customer", "key": "", "concurrent": "2",
    "rate": "100/m", "burst": "10",
}  # fmt: skip


def page(limit: Limit) -> str:
    return reverse("admin:tasks_limit_change", args=[limit.pk])


def switch(limit: Limit) -> str:
    return reverse("admin:tasks_limit_switch", args=[limit.pk])


def test_the_list_shows_what_runs_and_waits_and_first_what_holds_back(viewer, console):
    make_limit(Scope.KIND, "test.sum", concurrent=3)
    make_limit(Scope.OWNER, "", rate=60, period=60, burst=5)
    limit = make_limit(concurrent=1)
    for _ in range(3):
        tasks.submit("test.script")
    claim(make_worker())
    words = text(console(viewer).get(reverse(LIST)))
    assert "Queue default Applies 1 at once 1 2" in words
    assert "Each owner Applies 60/m, 5 together 0 0" in words
    assert words.index("Queue default") < words.index("Kind test.sum")
    assert "New limit" not in words
    assert "Pause" not in words
    detail = text(console(viewer).get(page(limit)))
    assert "Running 1" in detail
    assert "Save" not in detail


def test_an_ordered_limit_has_no_numbers_to_change(operator, console):
    browser = console(operator)
    numbers = {"concurrent": "", "rate": "", "burst": ""}
    refused = browser.post(reverse(ADD), FIELDS | numbers | {"ordered": "on", "rate": "1/s"})
    assert "An ordered limit has no rate" in text(refused)
    browser.post(reverse(ADD), FIELDS | numbers | {"ordered": "on"})
    limit = Limit.objects.get()
    assert (limit.ordered, limit.concurrent) == (True, 1)
    shown = text(browser.get(page(limit)))
    assert "Allowed one after another" in shown
    assert "Save" not in shown
    assert "Pause" in shown
    browser.post(page(limit), FIELDS)
    limit.refresh_from_db()
    assert (limit.ordered, limit.concurrent, limit.rate) == (True, 1, None)


def test_an_operator_creates_changes_and_deletes_a_limit(operator, console):
    browser = console(operator)
    response = browser.post(reverse(ADD), FIELDS)
    assert message(response).startswith("The limit was created.")
    limit = Limit.objects.get()
    assert (limit.scope, limit.name, limit.path) == ("key", "test.script", "customer")
    assert (limit.concurrent, str(limit.per_period), limit.burst) == (2, "100/m", 10)
    response = browser.post(page(limit), {"concurrent": "5", "rate": "", "burst": ""})
    assert "was changed" in message(response)
    limit.refresh_from_db()
    assert (limit.concurrent, limit.per_period, limit.burst) == (5, None, None)
    response = browser.post(reverse("admin:tasks_limit_delete", args=[limit.pk]))
    assert "was deleted" in message(response)
    assert not Limit.objects.exists()
    entries = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert list(entries) == ["Created.", "Changed: 5 at once.", "Deleted."]


def test_an_operator_pauses_and_resumes_a_limit(operator, console):
    limit = make_limit(concurrent=1)
    browser = console(operator)
    browser.post(switch(limit), {"verb": "pause", "reason": "their server is down\0"})
    limit.refresh_from_db()
    assert (limit.paused, limit.paused_by) == (True, operator.username)
    assert limit.paused_reason.startswith("their server is down")
    assert f"by {operator.username}: their server is down" in text(browser.get(reverse(LIST)))
    browser.post(switch(limit), {"verb": "resume"})
    limit.refresh_from_db()
    assert (limit.paused, limit.paused_by, limit.paused_reason) == (False, "", "")
    assert browser.post(switch(limit), {"verb": "drop"}).status_code == 404
    assert browser.get(switch(limit)).status_code == 405


def test_a_viewer_changes_nothing(viewer, console):
    limit = make_limit(concurrent=1)
    browser = console(viewer)
    answers = (
        browser.get(reverse(ADD)),
        browser.post(reverse(ADD), FIELDS),
        browser.post(page(limit), {"concurrent": "5"}),
        browser.post(switch(limit), {"verb": "pause"}),
        browser.post(reverse("admin:tasks_limit_delete", args=[limit.pk])),
    )
    assert [answer.status_code for answer in answers] == [403] * 5
    limit.refresh_from_db()
    assert (limit.concurrent, limit.paused) == (1, False)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"scope": "queue", "name": "no queue"}, "Use at most 40 characters"),
        ({"name": "no.such"}, "There is no such kind."),
        ({"rate": "many"}, "Use a number and a period"),
        ({"burst": "101"}, "Must be a whole number from 1 to the number of the rate."),
        ({"by": "a b"}, "Use the name of a field"),
    ],
)
def test_an_error_is_shown_at_its_field(operator, console, fields, error):
    response = console(operator).post(reverse(ADD), FIELDS | fields)
    assert response.status_code == 200
    assert error in text(response)
    assert not Limit.objects.exists()


def test_the_values_that_are_full_come_first(viewer, console):
    limits.create(scope="owner", concurrent=1)
    owner = User.objects.create_user("acme")
    for _ in range(2):
        tasks.submit("test.script", owner=owner)
    claim(make_worker())
    limit = Limit.objects.get()
    assert "acme 1 full" in text(console(viewer).get(page(limit)))


def test_a_limit_that_is_gone_is_not_found(operator, console):
    limit = make_limit(concurrent=1)
    limit.delete()
    gone = Limit(pk="00000000-0000-7000-8000-000000000000")
    browser = console(operator)
    assert browser.get(page(gone)).status_code == 404
    assert browser.post(switch(gone), {"verb": "pause"}).status_code == 404
