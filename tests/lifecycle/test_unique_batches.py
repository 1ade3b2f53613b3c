"""Unique tasks in batches: what exists stays outside."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks import lifecycle
from tasks.errors import UniqueConflict
from tasks.kinds import Unique
from tasks.lifecycle.preparation import prepare
from tasks.models import Task
from tasks.stats import batch_progress
from tests.lifecycle.unique_tasks import UNFINISHED, submit
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db


def test_a_batch_leaves_out_what_exists() -> None:
    first = submit()
    new = [prepare("test.script", {"value": n}, unique=UNFINISHED) for n in (1, 2, 2, 3)]
    batch = lifecycle.submit_many(new)
    assert batch.submitted_ids == [first.id, new[1].id, new[1].id, new[3].id]
    assert batch.total == batch.tasks.count() == 2
    assert Task.objects.count() == len(jobs()) == 3


def test_a_batch_replaces_and_the_last_of_its_tasks_counts() -> None:
    unique = Unique(key="k", while_="waiting", on_conflict="replace")
    new = [prepare("test.script", {"value": n}, unique=unique) for n in (1, 2, 3)]
    batch = lifecycle.submit_many(new)
    assert batch.submitted_ids == [new[0].id] * 3
    assert Task.objects.get().input == {"value": 3}
    assert len(jobs()) == 1


def test_a_batch_with_a_refused_task_writes_nothing() -> None:
    submit()
    refused = Unique(on_conflict="refuse")
    new = [prepare("test.script", {"value": n}, unique=refused) for n in (1, 2)]
    with pytest.raises(UniqueConflict):
        lifecycle.submit_many(new)
    assert Task.objects.count() == len(jobs()) == 1


def test_a_batch_may_replace_one_task_thousands_of_times() -> None:
    unique = Unique(key="k", while_="waiting", on_conflict="replace")
    new = [prepare("test.script", {"value": n}, unique=unique) for n in range(2_000)]
    with CaptureQueriesContext(connection) as queries:
        batch = lifecycle.submit_many(new)
    assert sum("-- replace" in query["sql"] for query in queries) == 1
    assert batch.total == 1
    assert Task.objects.get().input == {"value": 1_999}


def test_two_tasks_of_a_batch_that_refuse_each_other_are_named_by_their_places() -> None:
    refused = Unique(key="k", on_conflict="refuse")
    new = [prepare("test.script", {"value": n}, unique=refused) for n in (1, 2)]
    with pytest.raises(UniqueConflict, match=r"Task 1 of the batch: .* as task 0, and may not"):
        lifecycle.submit_many(new)
    assert Task.objects.count() == 0


def test_a_batch_whose_tasks_all_exist_has_ended() -> None:
    submit()
    batch = lifecycle.submit_many([prepare("test.script", {"value": 1}, unique=UNFINISHED)])
    progress = batch_progress(batch)
    assert (batch.total, progress.percent, progress.finished_at) == (0, 100, batch.created_at)


def test_a_repeated_batch_returns_the_same_ids() -> None:
    first = submit()

    def request() -> Any:
        new = [prepare("test.script", {"value": n}, unique=UNFINISHED) for n in (1, 2)]
        return lifecycle.submit_many(new, idempotency_key="b")

    batch = request()
    assert batch.submitted_ids[0] == first.id
    again = request()
    assert (again.id, again.submitted_ids, again.total) == (batch.id, batch.submitted_ids, 1)
