"""Unique tasks: one for each value, decided by the statement that inserts it."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

import tasks
from tasks import lifecycle
from tasks.errors import InvalidInput, UniqueConflict
from tasks.kinds import Unique
from tasks.lifecycle.ending import completed, released
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tasks.stats import batch_progress
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.lifecycle.known import ENDINGS
from tests.limits.rules import make_limit, stage
from tests.queue_rows import execute, has_waiting_session, job_of, jobs
from tests.threads import in_threads
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

WAITING = Unique(while_="waiting")
REPLACE = Unique(while_="waiting", on_conflict="replace")
UNFINISHED = Unique()


def submit(value: Any = 1, *, unique: Any = UNFINISHED, **options: Any) -> Task:
    return tasks.submit("test.script", {"value": value}, unique=unique, **options)


def test_the_same_input_makes_one_task() -> None:
    first, second = submit(), submit()
    assert second.id == first.id
    assert (first.unique_conflict, second.unique_conflict) == ("", "existing")
    assert len(jobs()) == Task.objects.count() == 1


def test_other_inputs_kinds_and_owners_make_others() -> None:
    owner = User.objects.create_user("ann")
    made = {
        submit().id,
        submit(2).id,
        submit(owner=owner).id,
        submit(unique=WAITING).id,
        submit(unique=Unique(key="k")).id,
        tasks.submit("test.limited", {"value": 1}, unique=UNFINISHED).id,
        tasks.submit("test.script", {"value": 1}).id,
    }
    assert len(made) == Task.objects.count() == 7


@pytest.mark.parametrize(
    ("by", "same", "other"),
    [
        (["a"], {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (["a.c"], {"a": {"c": 1, "d": 3}}, {"a": {"c": 2}}),
        (["a", "b"], {"b": 1, "a": 1, "x": 0}, {"a": 1}),
        (["z"], {"a": 5}, {"z": 1}),
        (["b", "a", "b"], {"b": 1, "a": 1}, {"a": 1}),
    ],
)
def test_fields_of_the_input_decide(
    by: list[str], same: dict[str, Any], other: dict[str, Any]
) -> None:
    unique = Unique(by=by)
    base = {"a": {"c": 1}} if by == ["a.c"] else {"a": 1, "b": 1}
    first = tasks.submit("test.script", base, unique=unique)
    assert tasks.submit("test.script", same, unique=unique).id == first.id
    assert tasks.submit("test.script", other, unique=unique).id != first.id


def test_a_place_in_a_list_is_a_field() -> None:
    unique = Unique(by=["a.0"])
    first = tasks.submit("test.script", {"a": [7, 8]}, unique=unique)
    assert tasks.submit("test.script", {"a": [7, 9]}, unique=unique).id == first.id
    assert tasks.submit("test.script", {"a": [9, 8]}, unique=unique).id != first.id
    assert tasks.submit("test.script", {"a": []}, unique=unique).id != first.id


def test_the_order_of_names_in_the_input_makes_no_difference() -> None:
    first = tasks.submit("test.script", {"value": {"a": 1, "b": [2]}}, unique=UNFINISHED)
    second = tasks.submit("test.script", {"value": {"b": [2], "a": 1}}, unique=UNFINISHED)
    assert second.id == first.id


def test_a_key_decides_whatever_the_input_is() -> None:
    first = submit(1, unique=Unique(key="account 7"))
    assert submit(2, unique=Unique(key="account 7")).id == first.id
    assert submit(1, unique=Unique(key="account 8")).id != first.id
    assert Task.objects.get(pk=first.pk).input == {"value": 1}


def test_a_waiting_task_is_unique_until_it_is_claimed() -> None:
    first = submit(unique=WAITING)
    claim(make_worker())
    second = submit(unique=WAITING)
    assert second.id != first.id
    assert submit(unique=WAITING).id == second.id


def test_a_waiting_task_that_comes_back_leaves_the_key_to_the_newer_one() -> None:
    worker = make_worker()
    first = submit(unique=WAITING)
    [claimed] = claim(worker)
    second = submit(unique=WAITING)
    assert finish(released(claimed)) == 1
    waiting = Task.objects.filter(status=Status.PENDING)
    assert set(waiting.values_list("id", flat=True)) == {first.id, second.id}
    assert submit(unique=WAITING).id == second.id


@pytest.mark.parametrize("how", ENDINGS)
def test_an_unfinished_task_is_unique_until_it_has_ended(how: str) -> None:
    worker = make_worker()
    first = submit(max_attempts=3)
    [claimed] = claim(worker)
    assert submit().id == first.id
    finish(ENDINGS[how](claimed))
    has_ended = Task.objects.get(pk=first.pk).is_terminal
    assert (submit().id != first.id) == has_ended


def test_a_cancelled_or_deleted_task_frees_its_key() -> None:
    first = submit()
    lifecycle.cancel(first)
    second = submit()
    lifecycle.delete(second)
    assert len({first.id, second.id, submit().id}) == 3


def test_a_lost_task_keeps_its_key_while_it_waits_again() -> None:
    worker = make_worker(silent_for=60)
    first = submit()
    claim(worker)
    lifecycle.rescue()
    assert Task.objects.get().status == Status.PENDING
    assert submit().id == first.id


def test_a_task_that_is_retried_by_hand_counts_no_longer() -> None:
    first = submit()
    lifecycle.cancel(first)
    second = submit()
    lifecycle.retry(first)
    assert Task.objects.filter(status=Status.PENDING).count() == 2
    assert submit().id == second.id


def test_a_period_counts_from_the_submit_also_when_the_task_has_completed() -> None:
    unique = Unique(while_=60)
    first = submit(unique=unique)
    [claimed] = claim(make_worker())
    finish(completed(claimed, {"done": 1}))
    again = submit(unique=unique)
    assert (again.id, again.status, again.result) == (first.id, "COMPLETED", {"done": 1})
    Task.objects.update(unique_until=sql_now() - dt.timedelta(seconds=1))
    second = submit(unique=unique)
    assert second.id != first.id
    assert submit(unique=unique).id == second.id
    assert Task.objects.get(pk=first.pk).unique_key is None


def sql_now() -> dt.datetime:
    [[now]] = execute("SELECT clock_timestamp()")
    return now  # type: ignore[no-any-return]


def test_a_period_ends_for_a_task_that_failed() -> None:
    unique = Unique(while_=60)
    first = submit(unique=unique)
    [claimed] = claim(make_worker())
    finish(ENDINGS["fatal"](claimed))
    assert submit(unique=unique).id != first.id


@pytest.mark.parametrize("on_conflict", ["existing", "refuse", "replace"])
def test_a_task_that_has_expired_counts_no_longer(on_conflict: Any) -> None:
    unique = Unique(key="k", while_="waiting", on_conflict=on_conflict)
    first = submit(1, unique=unique, expires_in=60)
    Task.objects.update(expires_at=sql_now() - dt.timedelta(seconds=1))
    second = submit(2, unique=unique)
    assert (second.id == first.id) == (on_conflict == "replace")
    [claimed] = claim(make_worker())
    assert claimed.input == {"value": 2}
    assert lifecycle.expire() == (on_conflict != "replace")


def test_a_wait_shorter_than_the_delay_is_refused() -> None:
    unique = Unique(while_="waiting", on_conflict="replace", longest_wait=3)
    with pytest.raises(InvalidInput, match="shorter than the delay"):
        submit(unique=unique, delay=4)
    assert submit(unique=unique, delay=3).scheduled_at


def test_a_refused_task_names_the_one_that_exists() -> None:
    first = submit()
    with pytest.raises(UniqueConflict, match=str(first.id)):
        submit(unique=Unique(on_conflict="refuse"))
    assert Task.objects.count() == 1


def test_replace_gives_the_waiting_task_the_values_of_the_newest_request() -> None:
    first = submit(unique=Unique(key="k", while_="waiting", on_conflict="replace"), priority=1)
    second = submit(
        2,
        unique=Unique(key="k", while_="waiting", on_conflict="replace"),
        queue="other",
        priority=5,
        max_attempts=7,
        metadata={"n": 2},
        callback_url="https://example.com/done",
    )
    assert (second.id, second.unique_conflict) == (first.id, "replaced")
    stored = Task.objects.get()
    assert (stored.input, stored.metadata, stored.max_attempts) == ({"value": 2}, {"n": 2}, 7)
    assert (stored.queue, stored.priority) == ("other", 5)
    assert stored.callback_url == "https://example.com/done"
    assert stored.created_at == first.created_at
    [job] = jobs()
    assert (job.queue, job.priority, job.id) == ("other", 5, stored.job_id)


def test_debounce_puts_the_start_off_until_the_longest_wait() -> None:
    def request() -> dt.datetime:
        unique = Unique(while_="waiting", on_conflict="replace", longest_wait=60)
        submit(unique=unique, delay=50)
        due = Task.objects.get().scheduled_at
        assert due == job_of(Task.objects.get()).scheduled_at
        assert due is not None
        return due

    first = request()
    Task.objects.update(created_at=sql_now() - dt.timedelta(seconds=5))
    second = request()
    assert first < second
    created = sql_now() - dt.timedelta(seconds=20)
    Task.objects.update(created_at=created)
    assert request() == created + dt.timedelta(seconds=60)
    assert Task.objects.count() == 1


def test_a_request_without_a_delay_lets_a_debounced_task_start() -> None:
    submit(unique=REPLACE, delay=3600)
    submit(unique=REPLACE)
    [claimed] = claim(make_worker())
    assert claimed.input == {"value": 1}
    assert jobs() == []


def test_a_task_that_runs_is_not_replaced() -> None:
    first = submit(unique=REPLACE)
    claim(make_worker())
    second = submit(unique=REPLACE)
    assert (second.id != first.id, second.unique_conflict) == (True, "")


def test_the_job_of_a_replaced_task_that_a_worker_holds_starts_nothing() -> None:
    submit(unique=REPLACE)
    [old] = jobs()
    submit(unique=REPLACE, delay=3600)
    # As if the worker had locked it: the statement left it.
    execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, priority)"
        " SELECT %(id)s, queue_name, task_name, args, priority FROM procrastinate_jobs",
        {"id": old.id},
    )
    assert claim(make_worker()) == []
    [left] = jobs()
    assert left.id == Task.objects.get().job_id


def test_a_replaced_task_under_a_limit_stands_under_the_limits_of_its_new_values() -> None:
    make_limit(name="narrow", concurrent=1)
    worker = make_worker()
    tasks.submit("test.script", {}, queue="narrow")
    stage(limit=100)
    key = Unique(key="k", while_="waiting", on_conflict="replace")
    submit(unique=key, queue="narrow")
    stage(limit=100)
    assert len(claim(worker)) == 1
    submit(2, unique=key, queue="wide")
    [claimed] = claim(worker)
    assert (claimed.input, claimed.queue) == ({"value": 2}, "wide")
    submit(3, unique=key, queue="narrow")
    assert claim(worker) == []
    assert Task.objects.filter(limit_keys__isnull=False, status="PENDING").count() == 1


def test_a_kind_can_be_unique_and_a_request_can_say_otherwise() -> None:
    first = tasks.submit("test.unique", {"account": 1, "note": "a"})
    assert tasks.submit("test.unique", {"account": 1, "note": "b"}).id == first.id
    other = tasks.submit("test.unique", {"account": 1}, unique={"by": ["note"]})
    assert other.id != first.id


@pytest.mark.parametrize(
    ("unique", "mistake"),
    [
        ({"while": "later"}, "waiting, unfinished, or a number"),
        ({"while": 0}, "above 0"),
        ({"while": -1}, "seconds"),
        ({"while": float("nan")}, "seconds"),
        ({"while": True}, "seconds"),
        ({"key": ""}, "1 to 255"),
        ({"key": "a\x00"}, "printable"),
        ({"key": 5}, "printable"),
        ({"by": "a"}, "list"),
        ({"by": ["a b"]}, "Field 0 of its by is not valid"),
        ({"by": ["a", "a.b.c.d"]}, "Field 1 of its by is not valid"),
        ({"by": ["x"] * 11}, "at most 10"),
        ({"key": "k", "by": ["a"]}, "either key or by"),
        ({"on_conflict": "fail"}, "existing, replace or refuse"),
        ({"on_conflict": "replace"}, "only with while: waiting"),
        ({"longest_wait": 5}, "needs on_conflict"),
        ({"while": "waiting", "on_conflict": "replace", "longest_wait": -1}, "longest_wait"),
        ({"until": 1}, "Unknown field: until"),
        ("yes", "object"),
    ],
)
def test_what_is_not_valid_is_named(unique: Any, mistake: str) -> None:
    with pytest.raises(InvalidInput, match=mistake) as refusal:
        submit(unique=unique)
    assert [error.field for error in refusal.value.errors] == ["unique"]


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


def test_an_idempotency_key_counts_before_the_unique_value() -> None:
    unique = Unique(key="k", while_="waiting", on_conflict="replace")
    first = submit(unique=unique, idempotency_key="r1", delay=3600)
    due = Task.objects.get().scheduled_at
    again = submit(unique=unique, idempotency_key="r1", delay=3600)
    assert (again.id, again.replayed, again.unique_conflict) == (first.id, True, "")
    assert Task.objects.get().scheduled_at == due


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
