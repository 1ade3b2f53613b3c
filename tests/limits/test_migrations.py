"""The migrations of limits, backwards and forwards beside tasks of every status."""

from __future__ import annotations

import pytest
from django.core.management import call_command

import tasks
from tasks.lifecycle.ending import completed
from tasks.models import Status, Task
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import blocked, make_limit
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db(transaction=True)


def test_blocked_tasks_go_on_in_the_version_before_and_all_in_this_one_again():
    make_task(Status.COMPLETED)
    make_limit(concurrent=1)
    for _ in range(3):
        tasks.submit("test.script")
    (held,) = claim(make_worker())
    assert blocked() == 2
    try:
        call_command("migrate", "tasks", "0027", verbosity=0)
        ((due,),) = execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE scheduled_at <= clock_timestamp()"
        )
        assert due == 2
    finally:
        call_command("migrate", "tasks", verbosity=0)
    # Without the limit, which went with its table.
    assert len(claim(make_worker())) == 2
    finish(completed(held, {}))
    assert Task.objects.filter(status=Status.COMPLETED).count() == 2
