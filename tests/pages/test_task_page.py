"""One task's page: what it says in each status, and to whom."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tasks.models import Status
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def page_of(client, task, part=""):
    response = client.get(f"/ui/tasks/{task.pk}/{part}")
    assert response.status_code in (200, 286)
    return response.content.decode()


@pytest.mark.parametrize(
    ("status", "fields", "said"),
    [
        (Status.PENDING, {}, "Waiting for a worker."),
        (Status.PENDING, {"attempt": 1}, "waiting for a worker to try again"),
        (Status.PROCESSING, {"progress": 40, "progress_message": "halfway"}, "halfway"),
        (Status.PROCESSING, {"cancel_requested": True}, "Stopping, as you asked."),
        (Status.COMPLETED, {"result": {"greeting": "Hello Ada"}}, "Hello Ada"),
        (Status.COMPLETED, {"result": None}, "returned nothing"),
        (Status.FAILED, {"attempt": 3}, "Failed after 3 attempts."),
        (Status.FAILED, {}, "as told"),
        (Status.CANCELLED, {}, "Cancelled"),
    ],
)
def test_the_page_says_how_the_task_is(client, status, fields, said):
    assert said in page_of(client, make_task(status, **fields))


def test_a_task_that_is_not_due_says_when(client):
    due = timezone.now() + dt.timedelta(hours=2, minutes=1)
    page = page_of(client, make_task(scheduled_at=due))
    assert "Scheduled" in page
    assert "2\N{NO-BREAK SPACE}hours from now" in page


def test_the_traceback_of_an_attempt_is_not_for_end_users(client):
    page = page_of(client, make_task(Status.FAILED))
    assert "Value error: as told" in page
    assert "Traceback" not in page


@pytest.mark.parametrize("part", ["", "status/"])
def test_a_task_of_somebody_else_is_not_there(client, stranger, user, part):
    task = make_task(owner=user)
    assert client.get(f"/ui/tasks/{task.pk}/{part}").status_code == 404
    client.force_login(stranger)
    assert client.get(f"/ui/tasks/{task.pk}/{part}").status_code == 404


def test_its_owner_and_staff_see_a_task(client, user, viewer):
    task = make_task(owner=user)
    for visitor in (user, viewer):
        client.force_login(visitor)
        assert page_of(client, task)


def test_without_javascript_the_page_reloads_itself_until_the_task_has_ended(client):
    assert '<noscript><meta http-equiv="refresh" content="2">' in page_of(client, make_task())
    assert "http-equiv" not in page_of(client, make_task(Status.COMPLETED))


def test_the_live_part_asks_for_itself_until_the_task_has_ended(client):
    task = make_task(Status.PROCESSING)
    address = f'hx-get="/ui/tasks/{task.pk}/status/?seen=PROCESSING" hx-trigger="every 1s"'
    assert address in page_of(client, task)
    assert address in page_of(client, task, "status/")
    assert "hx-get" not in page_of(client, make_task(Status.COMPLETED))


def test_what_is_due_much_later_is_asked_for_less_often(client):
    task = make_task(scheduled_at=timezone.now() + dt.timedelta(hours=2))
    assert 'hx-trigger="every 10s"' in page_of(client, task)


def test_polling_ends_with_the_task(client):
    running, ended = make_task(Status.PROCESSING), make_task(Status.CANCELLED)
    assert client.get(f"/ui/tasks/{running.pk}/status/").status_code == 200
    assert client.get(f"/ui/tasks/{ended.pk}/status/").status_code == 286


def test_a_change_of_status_is_announced_once(client):
    task = make_task(Status.COMPLETED)
    assert "announcement" in page_of(client, task, "status/?seen=PROCESSING")
    assert "announcement" not in page_of(client, task, "status/?seen=COMPLETED")


def test_a_kind_may_bring_its_own_view_of_its_result(client):
    result = {"word_count": 3, "top_words": ["sun", "moon"], "top_counts": [2, 1]}
    page = page_of(client, make_task(Status.COMPLETED, kind="text.analyze", result=result))
    assert "Most frequent words" in page
    assert 'width="50.0%"' in page


@pytest.mark.parametrize("result", [{}, {"top_words": 5, "top_counts": "x"}, {"top_words": [None]}])
def test_a_result_of_another_shape_breaks_no_page(client, result):
    assert page_of(client, make_task(Status.COMPLETED, kind="text.analyze", result=result))


def test_a_huge_result_makes_no_huge_page(client):
    result = {"rows": [{"text": "x" * 10_000} for _ in range(1_000)]}
    page = page_of(client, make_task(Status.COMPLETED, result=result))
    assert "There is more than is shown here" in page
    assert len(page) < 1_000_000


@pytest.mark.parametrize("kind", ["gone.kind", "../base", "a/b"])
def test_a_task_whose_kind_is_gone_is_still_shown(client, kind):
    page = page_of(client, make_task(Status.COMPLETED, kind=kind, result={"echo": "heard"}))
    assert "heard" in page
    assert "Submit another" not in page
