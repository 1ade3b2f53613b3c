from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tasks.models import Batch, Status
from tests.console.pages import TASKS
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def shown(browser: Any, **filters: str) -> set[str]:
    """Return the ids of the tasks that a list shows."""
    response = browser.get(reverse(TASKS), filters)
    assert response.status_code == 200
    return {str(task.pk) for task in response.context["cl"].result_list}


def ids(*tasks: Any) -> set[str]:
    return {str(task.pk) for task in tasks}


def test_a_task_is_found_by_its_complete_id(viewer, console, tasks):
    task = tasks["FAILED"]
    browser = console(viewer)
    assert shown(browser, q=str(task.pk)) == ids(task)
    assert shown(browser, q=f" {task.pk.hex.upper()} ") == ids(task)
    assert shown(browser, q=str(task.pk)[:8]) == set()
    assert shown(browser, q="' OR 1=1") == set()


@pytest.mark.parametrize(
    ("lane", "names"), [("primary", ["PENDING"]), ("retry", ["RETRY"]), ("dlq", ["FAILED"])]
)
def test_the_list_can_be_filtered_by_lane(viewer, console, tasks, lane, names):
    assert shown(console(viewer), lane=lane) == ids(*(tasks[name] for name in names))


def test_a_task_due_later_is_in_the_scheduled_lane(viewer, console, tasks):
    later = make_task(Status.PENDING, scheduled_at=timezone.now() + dt.timedelta(hours=1))
    assert shown(console(viewer), lane="scheduled") == ids(later)


def test_the_list_can_be_filtered_by_kind_queue_owner_batch_error_and_age(
    viewer, console, tasks, user
):
    batch = Batch.objects.create(total=1)
    old = timezone.now() - dt.timedelta(hours=2)
    other = make_task(
        Status.FAILED, kind="gone.kind", queue="other", batch=batch, created_at=old,
        error={"type": "KeyError"},
    )  # fmt: skip
    untyped = make_task(Status.COMPLETED)
    browser = console(viewer)
    for filters in ({"kind": "gone.kind"}, {"queue": "other"}, {"batch": str(batch.pk)}):
        assert shown(browser, **filters) == ids(other)
    assert shown(browser, error="KeyError") == ids(other)
    assert shown(browser, error="-", owner="-") == ids(untyped)
    assert shown(browser, batch=str(untyped.pk)) == set()
    assert shown(browser, owner=user.username) == ids(*(tasks[status] for status in Status.values))
    assert str(other.pk) not in shown(browser, created="1h")
    assert str(other.pk) in shown(browser, created="24h")


@pytest.mark.usefixtures("tasks")
def test_the_list_counts_no_rows_and_fetches_no_payloads(operator, console):
    browser = console(operator)
    with CaptureQueriesContext(connection) as queries:
        browser.get(reverse(TASKS), {"_facets": "1"})
    statements = [query["sql"] for query in queries]
    assert not [line for line in statements if "COUNT(" in line and "tasks_task" in line]
    rows = next(line for line in statements if 'ORDER BY "tasks_task"."id" DESC' in line)
    assert '"tasks_task"."input"' not in rows
    assert '"tasks_task"."result"' not in rows


def test_the_number_of_queries_does_not_depend_on_the_number_of_tasks(viewer, console, tasks, user):
    browser = console(viewer)
    with CaptureQueriesContext(connection) as few:
        browser.get(reverse(TASKS))
    for _ in range(10):
        make_task(Status.COMPLETED, owner=user)
    with CaptureQueriesContext(connection) as many:
        browser.get(reverse(TASKS))
    assert len(many) == len(few)


def test_only_an_operator_is_offered_actions(viewer, operator, console, tasks):
    assert 'name="action"' not in console(viewer).get(reverse(TASKS)).content.decode()
    assert 'name="action"' in console(operator).get(reverse(TASKS)).content.decode()
