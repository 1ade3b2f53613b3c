"""Rows with times that Python does not have: they are shown, moved and deleted like others."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.urls import reverse

from tasks import lifecycle, sql
from tasks.models import Status, Task
from tests.factories import make_task

pytestmark = pytest.mark.django_db

FIRST = dt.datetime.min.replace(tzinfo=dt.UTC)
LAST = dt.datetime.max.replace(tzinfo=dt.UTC)
TIMES = [
    ("infinity", LAST),
    ("-infinity", FIRST),
    ("12345-01-01 00:00:00+00", LAST),
    ("0044-03-15 00:00:00+00 BC", FIRST),
]


def _task_due(time: str, status: Status = Status.PENDING) -> Task:
    task = make_task(status)
    with connection.cursor() as cursor:
        for table, column in (("tasks_task", "id"), ("procrastinate_jobs", "args ->> 'task_id'")):
            cursor.execute(
                f"UPDATE {table} SET scheduled_at = %s WHERE ({column})::uuid = %s",
                [time, task.pk],
            )
    return task


@pytest.mark.parametrize(("time", "shown"), TIMES)
def test_such_a_time_is_read_as_the_nearest(time, shown):
    assert Task.objects.get(pk=_task_due(time).pk).scheduled_at == shown


@pytest.mark.parametrize("time", [time for time, _ in TIMES])
def test_such_a_task_is_shown_everywhere(client, admin_client, time):
    task = _task_due(time)
    for path in (
        "/api/v1/tasks/",
        f"/api/v1/tasks/{task.pk}",
        "/api/v1/tasks/?status=PENDING",
        "/ui/tasks/",
        f"/ui/tasks/{task.pk}/",
    ):
        answer = client.get(path, headers={"accept": "application/json, text/html"})
        assert answer.status_code == 200, path
    for path in (
        reverse("admin:index"),
        reverse("admin:tasks_task_changelist"),
        reverse("admin:tasks_task_change", args=[task.pk]),
        reverse("admin:tasks_queue_changelist"),
    ):
        assert admin_client.get(path).status_code == 200, path


@pytest.mark.parametrize("time", [time for time, _ in TIMES])
def test_a_task_that_ended_at_such_a_time_is_shown_everywhere(client, admin_client, time):
    task = make_task(Status.FAILED)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tasks_task SET created_at = %(time)s, started_at = %(time)s,"
            " finished_at = %(time)s WHERE id = %(id)s",
            {"time": time, "id": task.pk},
        )
    for path in ("/api/v1/tasks/", f"/api/v1/tasks/{task.pk}", f"/ui/tasks/{task.pk}/"):
        answer = client.get(path, headers={"accept": "application/json, text/html"})
        assert answer.status_code == 200, path
    for name in ("index", "tasks_task_changelist", "tasks_task_dead_letters"):
        assert admin_client.get(reverse(f"admin:{name}")).status_code == 200, name
    assert client.delete(f"/api/v1/tasks/{task.pk}").status_code == 204


@pytest.mark.parametrize("time", [time for time, _ in TIMES])
def test_such_a_task_can_be_cancelled_retried_and_deleted(client, time):
    task = _task_due(time)
    assert client.post(f"/api/v1/tasks/{task.pk}/cancel").status_code == 200
    assert client.post(f"/api/v1/tasks/{task.pk}/retry").status_code == 202
    task = _task_due(time)
    assert client.delete(f"/api/v1/tasks/{task.pk}").status_code == 204


@pytest.mark.parametrize("time", [time for time, _ in TIMES])
def test_workers_find_due_jobs_beside_such_a_task(time):
    _task_due(time)
    due_in = lifecycle.stage(sql.run).due_in
    assert due_in is None or 0 < due_in < 1e12
