from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tasks.models import Status, Worker, WorkerState
from tests.console.pages import TASKS, text
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db


def test_the_list_shows_workers_as_alive_draining_or_dead(viewer, console):
    make_worker("one:1")
    Worker.objects.filter(pk=make_worker("two:2")).update(state=WorkerState.DRAINING)
    make_worker("three:3", silent_for=62)
    words = text(console(viewer).get(reverse("admin:tasks_worker_changelist")))
    assert re.search(r"one:1 Alive \d s ago", words)
    assert "two:2 Draining" in words
    assert "three:3 Dead 1 min ago" in words


def test_a_worker_page_redirects_to_the_tasks_it_has_claimed(viewer, console):
    browser = console(viewer)
    claimed = make_task(Status.PROCESSING)
    make_task(Status.PROCESSING)
    address = reverse("admin:tasks_worker_change", args=[claimed.worker_id])
    response = browser.get(address)
    assert response["Location"] == f"{reverse(TASKS)}?worker_id={claimed.worker_id}"
    assert list(browser.get(response["Location"]).context["cl"].result_list) == [claimed]
