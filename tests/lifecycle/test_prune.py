from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from tasks import lifecycle
from tasks.models import Attempt, Status, Task
from tests.factories import make_task

pytestmark = pytest.mark.django_db


def test_what_ended_before_its_retention_goes_with_its_history(settings):
    settings.RETENTION_COMPLETED_DAYS, settings.RETENTION_FAILED_DAYS = 30, 90
    ended = timezone.now() - dt.timedelta(days=60)
    for status in (Status.COMPLETED, Status.CANCELLED, Status.FAILED):
        make_task(status, finished_at=ended)
    make_task(Status.COMPLETED)
    make_task(created_at=ended)
    assert lifecycle.prune() == 2
    assert sorted(Task.objects.values_list("status", flat=True)) == [
        Status.COMPLETED, Status.FAILED, Status.PENDING,
    ]  # fmt: skip
    settings.RETENTION_FAILED_DAYS = 30
    assert lifecycle.prune() == 1
    assert not Attempt.objects.exists()


def test_pruning_goes_on_until_nothing_is_left(monkeypatch, settings):
    monkeypatch.setattr("tasks.lifecycle.verbs.PRUNE_LIMIT", 2)
    settings.RETENTION_COMPLETED_DAYS = 0
    for _ in range(5):
        make_task(Status.COMPLETED)
    assert lifecycle.prune() == 5


def test_the_command_says_how_many_it_deleted(settings):
    settings.RETENTION_COMPLETED_DAYS = 30
    for days in (29, 31, 32):
        make_task(Status.COMPLETED, finished_at=timezone.now() - dt.timedelta(days=days))
    output = StringIO()
    call_command("prune", stdout=output)
    assert output.getvalue() == "2 tasks deleted\n"
    assert Task.objects.count() == 1
