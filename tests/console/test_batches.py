from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tasks.models import Batch, Status
from tests.console.pages import TASKS, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

BATCHES = "admin:tasks_batch_changelist"


def test_a_batch_shows_its_progress_and_counts(viewer, console):
    batch = Batch.objects.create(total=3)
    for status in (Status.COMPLETED, Status.FAILED, Status.PENDING):
        make_task(status, batch=batch)
    response = console(viewer).get(reverse(BATCHES))
    assert f"{batch.pk} 2 1 3" in text(response)
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


def test_a_batch_page_redirects_to_its_tasks(viewer, console):
    batch = Batch.objects.create(total=1)
    response = console(viewer).get(reverse("admin:tasks_batch_change", args=[batch.pk]))
    assert response["Location"] == f"{reverse(TASKS)}?batch={batch.pk}"
