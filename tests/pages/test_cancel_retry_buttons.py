"""The buttons on a task's page: where they are, and who may press them."""

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
def test_only_what_the_status_allows_is_offered(alice, user, status, fields, offered):
    assert buttons(alice, make_task(status, owner=user, **fields)) == offered


def test_cancel_cancels_what_waits(alice, user):
    task = make_task(owner=user)
    assert press(alice, task, "cancel").status_code == 200
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


def test_retry_queues_what_failed_again(alice, user):
    task = make_task(Status.FAILED, owner=user)
    press(alice, task, "retry")
    task.refresh_from_db()
    assert task.status == Status.PENDING


def test_a_button_pressed_too_late_says_so(alice, user):
    response = press(alice, make_task(Status.COMPLETED, owner=user), "cancel")
    assert "A task that is COMPLETED cannot be cancelled." in response.content.decode()


@pytest.mark.parametrize("button", ["cancel", "retry"])
def test_nobody_moves_a_task_that_they_do_not_see(client, stranger, user, button):
    task = make_task(Status.FAILED if button == "retry" else Status.PENDING, owner=user)
    before = task.status
    for visitor in (None, stranger):
        if visitor:
            client.force_login(visitor)
        assert press(client, task, button).status_code == 404
    task.refresh_from_db()
    assert task.status == before


def test_staff_who_may_only_look_have_no_buttons(client, viewer, user):
    task = make_task(owner=user)
    client.force_login(viewer)
    assert buttons(client, task) == set()
    assert press(client, task, "cancel").status_code == 403


def test_operators_may_cancel_for_others(client, operator, user):
    task = make_task(owner=user)
    client.force_login(operator)
    press(client, task, "cancel")
    task.refresh_from_db()
    assert task.status == Status.CANCELLED


@pytest.mark.parametrize("button", ["cancel", "retry"])
def test_a_link_presses_no_button(alice, user, button):
    assert alice.get(f"/ui/tasks/{make_task(owner=user).pk}/{button}/").status_code == 405


def test_a_foreign_page_presses_no_button(own_client):
    assert press(own_client, make_task(), "cancel").status_code == 403
