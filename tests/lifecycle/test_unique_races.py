"""Requests for one unique task at the same moment."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

import tasks
from tasks import lifecycle
from tasks.kinds import Unique
from tasks.lifecycle.preparation import prepare
from tasks.models import Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim
from tests.lifecycle.unique_tasks import REPLACE, UNFINISHED, WAITING, sql_now, submit
from tests.queue_rows import has_waiting_session, jobs
from tests.threads import in_threads
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("unique", [UNFINISHED, WAITING, REPLACE, Unique(while_=60)])
def test_many_requests_at_once_make_one_task(unique: Unique) -> None:
    made = in_threads(20, lambda: submit(unique=unique))
    assert {getattr(task, "id", task) for task in made} == {Task.objects.get().id}
    assert sorted(task.unique_conflict for task in made)[0] == ""
    assert sum(task.unique_conflict == "" for task in made) == len(jobs()) == 1


@pytest.mark.django_db(transaction=True)
def test_a_period_that_is_over_lets_one_of_many_pass() -> None:
    unique = Unique(while_=60)
    first = submit(unique=unique)
    Task.objects.update(unique_until=sql_now() - dt.timedelta(seconds=1))
    made = in_threads(10, lambda: submit(unique=unique))
    [second] = {getattr(task, "id", task) for task in made}
    assert second != first.id
    assert Task.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_submit_waits_for_a_transaction_that_may_roll_back() -> None:
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            submit()
            waiting = pool.submit(in_threads, 1, submit)
            wait_until(lambda: in_threads(1, has_waiting_session)[0], what="the second waits")
            transaction.set_rollback(True)
        [task] = waiting.result()
    assert (Task.objects.get().id, task.unique_conflict) == (task.id, "")


@pytest.mark.django_db(transaction=True)
def test_batches_with_the_same_tasks_in_other_orders_do_not_deadlock() -> None:
    def request(order: int) -> Any:
        numbers = range(200)[::order]
        return lifecycle.submit_many(
            [prepare("test.script", {"value": n}, unique=UNFINISHED) for n in numbers]
        )

    orders = iter([1, -1, 1, -1])
    batches = in_threads(4, lambda: request(next(orders)))
    assert [error for error in batches if isinstance(error, Exception)] == []
    assert sum(batch.total for batch in batches) == Task.objects.count() == 200


def test_the_database_itself_refuses_a_second_task() -> None:
    first = submit()
    key = Task.objects.get(pk=first.pk).unique_key
    other = tasks.submit("test.script", {})
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=other.pk).update(unique_key=key)
    assert connection.in_atomic_block


@pytest.mark.django_db(transaction=True)
def test_requests_that_replace_beside_deletions_become_tasks_or_replace() -> None:
    numbers = iter(range(1_000))

    def request() -> list[Any]:
        answers: list[Any] = []
        for _ in range(20):
            if next(numbers) % 3:
                answers.append(submit(unique=REPLACE, delay=60))
            else:
                lifecycle.delete_many(list(Task.objects.values_list("pk", flat=True)))
        return answers

    results = in_threads(6, request)
    answers = [answer for result in results for answer in result]
    assert {answer.unique_conflict for answer in answers} == {"", "replaced"}
    lifecycle.delete_many(list(Task.objects.values_list("pk", flat=True)))
    assert jobs() == []


@pytest.mark.django_db(transaction=True)
def test_batches_that_replace_in_other_orders_beside_claims_are_all_accepted() -> None:
    worker = make_worker()
    orders = iter([1, -1] * 4)

    def request() -> int:
        order = next(orders)
        for n in range(6):
            keys = [f"{n} {key}" for key in range(20)][::order]
            new = [
                prepare(
                    "test.script",
                    {"value": n},
                    unique=Unique(key=key, while_="waiting", on_conflict="replace"),
                )
                for key in keys
            ]
            lifecycle.submit_many(new)
        return 1

    def take() -> int:
        for _ in range(40):
            claim(worker, limit=20)
        return 1

    calls = iter([request, request, request, request, take, take])
    assert in_threads(6, lambda: next(calls)()) == [1] * 6
