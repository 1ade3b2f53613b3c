"""The page of one task: its text in each status, and who may see it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tasks import lifecycle
from tasks.models import Status
from tasks.models.task import TERMINAL
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db


def page_of(client, task, part=""):
    response = client.get(f"/ui/tasks/{task.pk}/{part}")
    stops_polling = part and task.status in TERMINAL
    assert response.status_code == (286 if stops_polling else 200)
    return response.content.decode()


@pytest.mark.parametrize(
    ("status", "fields", "text"),
    [
        (Status.PENDING, {}, "Waiting for a worker."),
        (Status.PENDING, {"attempt": 1}, "Waiting for a worker to retry it."),
        (Status.PROCESSING, {"progress": 40, "progress_message": "halfway"}, "halfway"),
        (
            Status.PROCESSING,
            {"cancel_requested": True},
            "the task is stopping.",
        ),
        (Status.COMPLETED, {"result": {"greeting": "Hello Ada"}}, "Hello Ada"),
        (Status.COMPLETED, {"result": None}, "returned no result"),
        (Status.FAILED, {"attempt": 3}, "Failed after 3 attempts."),
        (Status.FAILED, {}, "requested failure"),
        (Status.CANCELLED, {}, "Cancelled"),
    ],
)
def test_the_page_describes_the_status_of_the_task(client, status, fields, text):
    make_worker()
    assert text in page_of(client, make_task(status, **fields))


def test_the_page_says_what_holds_a_task_back_and_its_place(client):
    waiting = make_task()
    assert "No worker runs that serves the queue default" in page_of(client, waiting)
    make_worker()
    page = page_of(client, waiting, "status/")
    assert "Place in line" in page
    lifecycle.pause_queue("default", by="root", reason="a migration")
    page = page_of(client, waiting, "status/")
    assert "Waiting. The queue default has been paused since" in page
    assert "a migration" in page
    assert "root" not in page


def test_the_page_of_a_scheduled_task_shows_when_it_is_due(client):
    due = timezone.now() + dt.timedelta(hours=2, minutes=1)
    page = page_of(client, make_task(scheduled_at=due))
    assert "Scheduled" in page
    assert ">in 2 h</time>" in page


def test_the_page_shows_an_error_without_its_traceback(client):
    page = page_of(client, make_task(Status.FAILED))
    assert "Value error: requested failure" in page
    assert "Traceback" not in page


@pytest.mark.parametrize("part", ["", "status/"])
def test_the_task_of_another_user_is_not_found(client, stranger, user, part):
    task = make_task(owner=user)
    assert client.get(f"/ui/tasks/{task.pk}/{part}").status_code == 404
    client.force_login(stranger)
    assert client.get(f"/ui/tasks/{task.pk}/{part}").status_code == 404


def test_the_owner_and_a_viewer_can_see_a_task(client, user, viewer):
    task = make_task(owner=user)
    for visitor in (user, viewer):
        client.force_login(visitor)
        assert page_of(client, task)


def test_the_page_reloads_without_javascript_until_the_task_has_ended(client):
    assert '<noscript><meta http-equiv="refresh" content="2">' in page_of(client, make_task())
    assert "http-equiv" not in page_of(client, make_task(Status.COMPLETED))


def test_the_live_part_polls_until_the_task_has_ended(client):
    task = make_task(Status.PROCESSING)
    address = f'hx-get="/ui/tasks/{task.pk}/status/?seen=PROCESSING" hx-trigger="every 1s"'
    assert address in page_of(client, task)
    assert address in page_of(client, task, "status/")
    assert "hx-get" not in page_of(client, make_task(Status.COMPLETED))


def test_a_task_due_much_later_is_polled_less_often(client):
    task = make_task(scheduled_at=timezone.now() + dt.timedelta(hours=2))
    assert 'hx-trigger="every 10s"' in page_of(client, task)


def test_the_status_of_an_ended_task_stops_polling(client):
    running, finished = make_task(Status.PROCESSING), make_task(Status.CANCELLED)
    assert client.get(f"/ui/tasks/{running.pk}/status/").status_code == 200
    assert client.get(f"/ui/tasks/{finished.pk}/status/").status_code == 286


def test_a_change_of_status_is_announced_once(client):
    task = make_task(Status.COMPLETED)
    assert "announcement" in page_of(client, task, "status/?seen=PROCESSING")
    assert "announcement" not in page_of(client, task, "status/?seen=COMPLETED")


def test_a_kind_with_its_own_result_template_uses_it(client):
    result = {"word_count": 3, "top_words": ["sun", "moon"], "top_counts": [2, 1]}
    page = page_of(client, make_task(Status.COMPLETED, kind="text.analyze", result=result))
    assert "Most frequent words" in page
    assert 'width="50.0%"' in page


@pytest.mark.parametrize("result", [{}, {"top_words": 5, "top_counts": "x"}, {"top_words": [None]}])
def test_a_result_of_unexpected_shape_is_still_shown(client, result):
    assert page_of(client, make_task(Status.COMPLETED, kind="text.analyze", result=result))


def test_a_huge_result_is_cut_to_a_bounded_page(client):
    result = {"rows": [{"text": "x" * 10_000} for _ in range(1_000)]}
    page = page_of(client, make_task(Status.COMPLETED, result=result))
    assert "Only part of this value is shown" in page
    assert len(page) < 1_000_000


@pytest.mark.parametrize("kind", ["gone.kind", "../base", "a/b"])
def test_a_task_of_an_unregistered_kind_is_still_shown(client, kind):
    page = page_of(client, make_task(Status.COMPLETED, kind=kind, result={"echo": "hello"}))
    assert "hello" in page
    assert "Submit another" not in page
