from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from tasks.models import Queue, Status
from tests.console.pages import message, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

QUEUES = "admin:tasks_queue_changelist"
SWITCH = "admin:tasks_queue_switch"


def test_the_list_shows_every_queue_with_its_counts(viewer, console):
    make_task(Status.PENDING, queue="letters")
    make_task(Status.PROCESSING, queue="letters")
    words = text(console(viewer).get(reverse(QUEUES)))
    assert "letters Open 1 1" in words
    assert "default Open 0 0" in words
    assert "Pause" not in words


def test_an_operator_can_pause_and_resume_a_queue(operator, console):
    browser = console(operator)
    response = browser.post(reverse(SWITCH), {"name": "default", "verb": "pause"})
    assert message(response) == "Queue default was paused."
    assert Queue.objects.get(name="default").paused
    assert "default Paused" in text(browser.get(reverse(QUEUES)))
    response = browser.post(reverse(SWITCH), {"name": "default", "verb": "resume"})
    assert message(response) == "Queue default was resumed."
    assert not Queue.objects.get(name="default").paused
    assert LogEntry.objects.filter(object_id="default").count() == 2


def test_a_viewer_cannot_pause_a_queue(viewer, console):
    response = console(viewer).post(reverse(SWITCH), {"name": "default", "verb": "pause"})
    assert response.status_code == 403
    assert not Queue.objects.exists()


@pytest.mark.parametrize(
    "fields", [{}, {"name": "no such", "verb": "pause"}, {"name": "default", "verb": "drop"}]
)
def test_an_unknown_queue_or_verb_is_not_found(operator, console, fields):
    assert console(operator).post(reverse(SWITCH), fields).status_code == 404
    assert not Queue.objects.exists()
