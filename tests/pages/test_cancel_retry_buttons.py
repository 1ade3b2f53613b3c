"""The buttons on a task's page: when they are shown, and who may use them."""

from __future__ import annotations

import pytest

from tasks.models import Status
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def press(client, task, button):
    return client.post(f"/ui/tasks/{task.pk}/{button}/", follow=True)


def buttons(client, task):
    page = client.get(f"/ui/tasks/{task.pk}/").content.decode()
    return {name for name in ("cancel", "retry") if f'action="/ui/tasks/{task.pk}/{name}/"' in page}


@pytest.mark.parametrize(
    ("status", "fields", "offered"),
    [
        (Status.PENDING, {}, {"cancel"}),
        (Status.PROCESSING, {}, {"cancel"}),
        (Status.PROCESSING, {"cancel_requested": True}, set()),
        (Status.COMPLETED, {}, set()),
        (Status.FAILED, {}, {"retry"}),
        (Status.CANCELLED, {}, {"retry"}),
    ],
)
def test_the_page_offers_the_buttons_that_the_status_allows(alice, user, status, fields, offered):
    assert buttons(alice, make_task(status, owner=user, **fields)) == offered


def test_the_cancel_button_cancels_a_pending_task(alice, user):
    task = make_task(owner=user)
    assert press(alice, task, "cancel").status_code == 200
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


def test_the_retry_button_queues_a_failed_task_again(alice, user):
    task = make_task(Status.FAILED, owner=user)
    press(alice, task, "retry")
    task.refresh_from_db()
    assert task.status == Status.PENDING


def test_cancelling_an_ended_task_shows_an_error(alice, user):
    response = press(alice, make_task(Status.COMPLETED, owner=user), "cancel")
    assert "A task that is COMPLETED cannot be cancelled." in response.content.decode()


@pytest.mark.parametrize("button", ["cancel", "retry"])
def test_a_visitor_cannot_change_a_task_of_another_user(client, stranger, user, button):
    task = make_task(Status.FAILED if button == "retry" else Status.PENDING, owner=user)
    before = task.status
    for visitor in (None, stranger):
        if visitor:
            client.force_login(visitor)
        assert press(client, task, button).status_code == 404
    task.refresh_from_db()
    assert task.status == before


def test_a_viewer_has_no_buttons_on_a_task_of_another_user(client, viewer, user):
    task = make_task(owner=user)
    client.force_login(viewer)
    assert buttons(client, task) == set()
    assert press(client, task, "cancel").status_code == 403


def test_an_operator_can_cancel_a_task_of_another_user(client, operator, user):
    task = make_task(owner=user)
    client.force_login(operator)
    press(client, task, "cancel")
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


@pytest.mark.parametrize("button", ["cancel", "retry"])
def test_the_buttons_require_a_post(alice, user, button):
    assert alice.get(f"/ui/tasks/{make_task(owner=user).pk}/{button}/").status_code == 405


def test_the_buttons_require_a_csrf_token(csrf_client):
    assert press(csrf_client, make_task(), "cancel").status_code == 403
