"""Unique tasks: one for each value, decided by the statement that inserts it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User

import tasks
from tasks import lifecycle
from tasks.errors import InvalidInput, UniqueConflict
from tasks.kinds import Unique
from tasks.lifecycle.ending import completed, released
from tasks.models import Status, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.lifecycle.known import ENDINGS
from tests.lifecycle.unique_tasks import UNFINISHED, WAITING, sql_now, submit
from tests.queue_rows import jobs

pytestmark = pytest.mark.django_db


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


def test_a_refused_task_names_the_one_that_exists() -> None:
    first = submit()
    with pytest.raises(UniqueConflict, match=str(first.id)):
        submit(unique=Unique(on_conflict="refuse"))
    assert Task.objects.count() == 1


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
