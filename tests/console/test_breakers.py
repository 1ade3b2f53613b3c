from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from tasks.models import Breaker
from tests.console.pages import message, text

pytestmark = pytest.mark.django_db

BREAKERS = "admin:tasks_breaker_changelist"
RESET = "admin:tasks_breaker_reset"


@pytest.fixture
def letters() -> Breaker:
    now = timezone.now()
    return Breaker.objects.create(
        name="letters",
        failures=5,
        open_until=now + dt.timedelta(seconds=60),
        last_error="The post <b>office</b> is closed.",
        last_failure_at=now,
    )


def test_the_list_shows_every_circuit(viewer, console, letters):
    response = console(viewer).get(reverse(BREAKERS))
    words = text(response)
    assert "letters Open 5 in" in words
    assert "openrouter Closed 0" in words
    assert "&lt;b&gt;office" in response.content.decode()
    assert "Reset" not in words


def test_an_operator_can_reset_a_circuit(operator, console, letters):
    browser = console(operator)
    assert "Reset" in text(browser.get(reverse(BREAKERS)))
    response = browser.post(reverse(RESET), {"name": "letters"})
    assert message(response) == "The circuit of letters was reset."
    letters.refresh_from_db()
    assert (letters.open_until, letters.failures) == (None, 0)
    assert LogEntry.objects.filter(object_id="letters").count() == 1


def test_a_viewer_cannot_reset_a_circuit(viewer, console, letters):
    assert console(viewer).post(reverse(RESET), {"name": "letters"}).status_code == 403
    letters.refresh_from_db()
    assert letters.open_until


def test_a_reset_requires_a_known_circuit_and_a_post(operator, console):
    assert console(operator).post(reverse(RESET), {"name": "no such"}).status_code == 404
    assert console(operator).get(reverse(RESET)).status_code == 405
