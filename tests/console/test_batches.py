from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tasks import lifecycle
from tasks.models import Batch, Status, Task
from tests.console.pages import message, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

BATCHES = "admin:tasks_batch_changelist"


def page(batch: Batch) -> str:
    return reverse("admin:tasks_batch_change", args=[batch.pk])


def workflow() -> Batch:
    nodes = {
        "first": lifecycle.Node(kind="test.sum"),
        "second": lifecycle.Node(kind="test.sum", after=["first"]),
    }
    return lifecycle.submit_workflow(nodes, name="Example")


def test_a_batch_shows_its_progress_and_counts(viewer, console):
    batch = Batch.objects.create(total=3)
    for status in (Status.COMPLETED, Status.FAILED, Status.PENDING):
        make_task(status, batch=batch)
    response = console(viewer).get(reverse(BATCHES))
    assert f"{batch.pk} Running 2 1 3" in text(response)
    assert "width:33.3%" in response.content.decode()


def test_the_number_of_queries_does_not_depend_on_the_number_of_batches(viewer, console):
    browser = console(viewer)
    make_task(Status.COMPLETED, batch=Batch.objects.create(total=1))
    with CaptureQueriesContext(connection) as few:
        browser.get(reverse(BATCHES))
    for _ in range(5):
        make_task(Status.COMPLETED, batch=Batch.objects.create(total=1))
    with CaptureQueriesContext(connection) as many:
        browser.get(reverse(BATCHES))
    assert len(many) == len(few)


def test_a_batch_is_shown_with_what_follows(viewer, console):
    batch = Batch.objects.create(
        total=2, name="Two", is_awaited=True, then_id=make_task(kind="test.sum").pk
    )
    make_task(Status.FAILED, batch=batch)
    make_task(batch=batch)
    words = text(console(viewer).get(page(batch)))
    assert "Two Running Tasks" in words
    assert "1 of 2" in words
    assert "Then test.sum , pending" in words
    assert "Retry what failed" not in words


def test_a_workflow_is_drawn(viewer, console):
    batch = workflow()
    answer = console(viewer).get(page(batch)).content.decode()
    assert answer.count("graph-box") == 2
    assert answer.count("graph-line") == 1
    assert "after first" in answer
    assert 'aria-label="second: Waiting"' in answer


def test_an_operator_cancels_and_retries_a_batch(operator, console):
    batch = workflow()
    browser = console(operator)
    act = reverse("admin:tasks_batch_act", args=[batch.pk])
    assert "2 tasks were cancelled" in message(browser.post(act, {"verb": "cancel"}))
    assert Task.objects.filter(status=Status.CANCELLED).count() == 2
    assert "2 tasks were queued again" in message(browser.post(act, {"verb": "retry"}))
    entries = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert list(entries) == ["Cancelled: 2 tasks.", "Queued again: 2 tasks."]
    assert browser.post(act, {"verb": "explode"}).status_code == 404
    assert browser.get(act).status_code == 405


def test_a_viewer_cannot_change_a_batch(viewer, console):
    batch = workflow()
    act = reverse("admin:tasks_batch_act", args=[batch.pk])
    assert console(viewer).post(act, {"verb": "cancel"}).status_code == 403
    assert Task.objects.filter(status=Status.PENDING).count() == 2


@pytest.mark.parametrize("id", ["no-id", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_batch_is_not_found(viewer, console, id):
    assert console(viewer).get(f"{reverse(BATCHES)}{id}/change/").status_code == 404
