"""Verbs on thousands of tasks, with statistics that were gathered while the queue was empty."""

from __future__ import annotations

import pytest
from django.db import connection

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Task
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db
MANY = 3_000
# Far more than the work needs: a plan that runs a part again for each job takes hours.
LIMIT = "60s"


@pytest.mark.parametrize("verb", [lifecycle.cancel_many, lifecycle.delete_many])
@pytest.mark.parametrize("before", [0, 200])
def test_each_part_of_the_statement_runs_once(verb, before):
    lifecycle.submit_many([prepare("test.script") for _ in range(before)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task, procrastinate_jobs")
        cursor.execute(f"SET LOCAL statement_timeout = '{LIMIT}'")
    lifecycle.submit_many([prepare("test.script") for _ in range(MANY)])
    assert verb(list(Task.objects.values_list("pk", flat=True))) == before + MANY
    assert jobs() == []
