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


def test_every_queue_is_listed_with_what_it_holds(viewer, console):
    make_task(Status.PENDING, queue="letters")
    make_task(Status.PROCESSING, queue="letters")
    seen = text(console(viewer).get(reverse(QUEUES)))
    assert "letters Open 1 1" in seen
    assert "default Open 0 0" in seen
    assert "Pause" not in seen


def test_an_operator_pauses_and_resumes_a_queue(operator, console):
    browser = console(operator)
    response = browser.post(reverse(SWITCH), {"name": "default", "verb": "pause"})
    assert message(response) == "default is paused."
    assert Queue.objects.get(name="default").paused
    assert "default Paused" in text(browser.get(reverse(QUEUES)))
    browser.post(reverse(SWITCH), {"name": "default", "verb": "resume"})
    assert not Queue.objects.get(name="default").paused
    assert LogEntry.objects.filter(object_id="default").count() == 2


def test_a_viewer_switches_nothing(viewer, console):
    response = console(viewer).post(reverse(SWITCH), {"name": "default", "verb": "pause"})
    assert response.status_code == 403
    assert not Queue.objects.exists()


@pytest.mark.parametrize(
    "wanted", [{}, {"name": "no such", "verb": "pause"}, {"name": "default", "verb": "drop"}]
)
def test_only_known_queues_are_switched(operator, console, wanted):
    assert console(operator).post(reverse(SWITCH), wanted).status_code == 404
    assert not Queue.objects.exists()
