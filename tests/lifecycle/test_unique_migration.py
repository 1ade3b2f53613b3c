"""The migrations of unique tasks, backwards and forwards beside tasks of every status."""

from __future__ import annotations

import pytest
from django.core.management import call_command

import tasks
from tasks.kinds import Unique
from tasks.lifecycle.ending import completed
from tasks.models import Status, Task
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db(transaction=True)


def test_unique_and_expiring_tasks_are_plain_ones_in_the_version_before():
    for status in Status:
        make_task(status)
    unique = tasks.submit("test.script", {"n": 1}, unique=Unique(), priority=5)
    tasks.submit("test.script", {"n": 2}, expires_in=3600)
    [held] = claim(make_worker(), limit=1)
    assert held.id == unique.id
    try:
        call_command("migrate", "tasks", "0030", verbosity=0)
        # As a statement of the version before, which names other columns.
        execute(
            "UPDATE tasks_task SET status = 'CANCELLED', job_id = NULL, finished_at = now()"
            " WHERE input ->> 'n' = '2'"
        )
    finally:
        call_command("migrate", "tasks", verbosity=0)
    finish(completed(held, {}))
    assert Task.objects.get(pk=unique.pk).status == Status.COMPLETED
    again = tasks.submit("test.script", {"n": 1}, unique=Unique())
    assert tasks.submit("test.script", {"n": 1}, unique=Unique()).id == again.id != unique.id
