"""Workflows: tasks start when those before them have ended, with the results that they name."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import invariants, kinds, lifecycle, sql
from tasks.errors import InvalidInput
from tasks.kinds.exceptions import FatalError
from tasks.lifecycle import Node
from tasks.lifecycle.ending import Claim, completed, raised
from tasks.lifecycle.settling import NOT_STARTED
from tasks.models import Batch, Scope, Status, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import make_limit

pytestmark = pytest.mark.django_db(transaction=True)


def node(*after: str, **fields: Any) -> Node:
    return Node(
        kind=fields.pop("kind", "test.script"),
        input=fields.pop("input", {"do": "return"}),
        after=after,
        **fields,
    )


def submit(options: dict[str, Any] | None = None, **nodes: Node) -> Batch:
    return lifecycle.submit_workflow(nodes, **(options or {}))


def fail(held: Claim) -> None:
    finish(raised(held, kinds.get("test.script"), FatalError("requested")))


def statuses(batch: Batch) -> dict[str, str]:
    return {
        task.node: f"{task.status}{' later' if task.scheduled_at else ''}"
        for task in Task.objects.filter(batch=batch)
    }


def start(worker: int, batch: Batch) -> dict[str, Claim]:
    """Settle, then claim what can be claimed; return the claims by the names of their nodes."""
    lifecycle.settle()
    held = {each.id: each for each in claim(worker)}
    return {task.node: held[task.pk] for task in Task.objects.filter(batch=batch, pk__in=held)}


def outcome(batch: Batch) -> str | None:
    lifecycle.settle()
    batch.refresh_from_db()
    return batch.outcome


def assert_intact() -> None:
    report = invariants.verify(wait=lambda seconds: False)
    assert report is not None
    assert report.is_clean, str(report)


def test_a_task_starts_when_all_before_it_have_ended() -> None:
    batch = submit(a=node(), b=node(), c=node("a", "b"), d=node("c"))
    worker = make_worker()
    held = start(worker, batch)
    assert held.keys() == {"a", "b"}
    assert_intact()
    finish(completed(held["a"], {}))
    assert start(worker, batch) == {}
    finish(completed(held["b"], {}))
    held = start(worker, batch)
    assert held.keys() == {"c"}
    assert outcome(batch) is None
    finish(completed(held["c"], {}))
    finish(completed(start(worker, batch)["d"], {}))
    assert outcome(batch) == Status.COMPLETED
    assert_intact()


def test_results_are_inputs() -> None:
    batch = submit(
        fetch=node(),
        use=node(
            input={
                "do": "return",
                "all": {"$result": "fetch"},
                "parts": [{"$result": "fetch.pages.1"}, {"$result": "fetch.title"}],
            }
        ),
    )
    worker = make_worker()
    held = start(worker, batch)
    assert held.keys() == {"fetch"}
    result = {"pages": ["one", "two"], "title": None}
    finish(completed(held["fetch"], result))
    held = start(worker, batch)
    assert held["use"].input == {"do": "return", "all": result, "parts": ["two", None]}


@pytest.mark.parametrize(
    ("input", "detail"),
    [
        ({"text": {"$result": "fetch.pages"}}, "There is no fetch.pages: pages is missing."),
        ({"text": {"$result": "fetch.count"}}, '5 is not of type "string"'),
    ],
)
def test_a_result_that_does_not_fit_fails_the_task(input: dict[str, Any], detail: str) -> None:
    batch = submit(fetch=node(), use=node(kind="text.analyze", input=input), last=node("use"))
    worker = make_worker()
    finish(completed(start(worker, batch)["fetch"], {"count": 5}))
    assert outcome(batch) == Status.FAILED
    task = Task.objects.get(node="use")
    assert task.error["type"] == "InvalidInput"
    assert detail in task.error["detail"]
    assert statuses(batch)["last"] == "CANCELLED"
    assert_intact()


def test_a_number_that_cannot_be_an_input_harms_no_other_task() -> None:
    batch = submit(a=node(), b=node(input={"x": {"$result": "a.n"}}), c=node("a"))
    worker = make_worker()
    # PostgreSQL writes it with all its digits.
    finish(completed(start(worker, batch)["a"], {"n": 1e25}))
    held = start(worker, batch)
    assert "c" in held
    assert statuses(batch)["b"] in ("FAILED", "PROCESSING")


def test_a_failure_cancels_what_is_below_and_nothing_else() -> None:
    batch = submit(a=node(), b=node(), under_a=node("a"), deep=node("under_a"), under_b=node("b"))
    worker = make_worker()
    held = start(worker, batch)
    fail(held["a"])
    finish(completed(held["b"], {}))
    held = start(worker, batch)
    assert held.keys() == {"under_b"}
    for name in ("under_a", "deep"):
        task = Task.objects.get(node=name)
        assert (task.status, task.error["type"]) == (Status.CANCELLED, NOT_STARTED)
    assert "because a did not complete" in Task.objects.get(node="under_a").error["detail"]
    finish(completed(held["under_b"], {}))
    assert outcome(batch) == Status.FAILED
    assert_intact()


def test_an_allowed_failure_lets_others_start() -> None:
    batch = submit(
        a=node(on_failure="continue"),
        b=node("a", input={"do": "return", "part": {"$result": "a.part"}}),
    )
    worker = make_worker()
    fail(start(worker, batch)["a"])
    held = start(worker, batch)
    assert held["b"].input["part"] is None


@pytest.mark.parametrize("retry", ["the workflow", "the task"])
def test_a_retry_goes_on_from_what_failed(retry: str) -> None:
    batch = submit(a=node(), b=node("a"), c=node("b"), d=node("a", "c"))
    worker = make_worker()
    fail(start(worker, batch)["a"])
    assert outcome(batch) == Status.FAILED
    if retry == "the workflow":
        assert lifecycle.retry_batch(batch) == 1
    else:
        lifecycle.retry(Task.objects.get(node="a"))
    for name in "abcd":
        held = start(worker, batch)
        assert held.keys() == {name}
        finish(completed(held[name], {}))
    assert outcome(batch) == Status.COMPLETED
    assert_intact()


def test_a_task_that_was_never_started_waits_when_it_is_retried() -> None:
    batch = submit(a=node(), b=node("a"))
    worker = make_worker()
    fail(start(worker, batch)["a"])
    lifecycle.settle()
    lifecycle.retry(Task.objects.get(node="b"))
    assert start(worker, batch) == {}
    assert statuses(batch)["b"] == "PENDING later"
    assert_intact()
    lifecycle.retry(Task.objects.get(node="a"))
    finish(completed(start(worker, batch)["a"], {}))
    assert start(worker, batch).keys() == {"b"}


@pytest.mark.parametrize("how", ["cancelled with the workflow", "cancelled alone", "invalid"])
def test_a_retried_task_gets_the_results_that_it_names(how: str) -> None:
    part = "none" if how == "invalid" else "n"
    batch = submit(
        a=node(),
        b=node(input={"do": "return", "x": {"$result": f"a.{part}"}}),
        last=node(input={"do": "return", "y": {"$result": "b"}}),
    )
    worker = make_worker()
    held = start(worker, batch)
    if how == "cancelled with the workflow":
        lifecycle.cancel_batch(batch)
    if how == "cancelled alone":
        lifecycle.cancel(Task.objects.get(node="b"))
    finish(completed(held["a"], {"n": 5}))
    lifecycle.settle()
    if how == "cancelled with the workflow":
        # It was asked to stop, and had ended before.
        assert outcome(batch) == Status.CANCELLED
        lifecycle.retry_batch(batch)
    else:
        lifecycle.retry(Task.objects.get(node="b"))
    batch.refresh_from_db()
    assert batch.ended_at is None
    held = start(worker, batch)
    if how == "invalid":
        assert statuses(batch)["b"] == "FAILED"
        return
    assert held["b"].input["x"] == 5
    finish(completed(held["b"], {"m": 6}))
    assert start(worker, batch)["last"].input["y"] == {"m": 6}
    assert_intact()


def test_a_retried_list_is_expanded() -> None:
    batch = submit(
        a=node(), m=node(input={"do": "return", "n": {"$item": ""}}, map={"$result": "a.items"})
    )
    worker = make_worker()
    lifecycle.cancel(Task.objects.get(node="m"))
    finish(completed(start(worker, batch)["a"], {"items": [1, 2]}))
    lifecycle.settle()
    lifecycle.retry(Task.objects.get(node="m"))
    assert start(worker, batch).keys() == {"m.0", "m.1"}


def test_a_task_whose_dependency_was_deleted_cannot_start() -> None:
    batch = submit(a=node(), b=node("a"), s=node(), c=node("s", input={"x": {"$result": "a.n"}}))
    worker = make_worker()
    held = start(worker, batch)
    fail(held["a"])
    lifecycle.settle()
    lifecycle.delete(Task.objects.get(node="a"))
    lifecycle.retry(Task.objects.get(node="b"))
    finish(completed(held["s"], {}))
    assert start(worker, batch) == {}
    assert statuses(batch)["b"] == "CANCELLED"
    assert outcome(batch) == Status.CANCELLED


def test_the_result_of_a_deleted_task_is_not_null() -> None:
    batch = submit(a=node(), s=node(), c=node("s", input={"x": {"$result": "a.n"}}))
    worker = make_worker()
    held = start(worker, batch)
    finish(completed(held["a"], {"n": 1}))
    lifecycle.settle()
    lifecycle.delete(Task.objects.get(node="a"))
    finish(completed(held["s"], {}))
    assert start(worker, batch) == {}
    assert "it was deleted" in Task.objects.get(node="c").error["detail"]


def test_unique_kinds_are_not_unique_in_a_workflow() -> None:
    same = {"account": {"$result": "a.n"}}
    batches = [submit(a=node(), u=node(kind="test.unique", input=same)) for _ in range(2)]
    worker = make_worker()
    lifecycle.settle()
    finish(*(completed(held, {"n": 7}) for held in claim(worker)))
    lifecycle.settle()
    held = claim(worker)
    assert [each.input for each in held] == [{"account": 7}] * 2
    assert len(batches) == 2


def test_a_new_limit_starts_nothing_that_waits_for_others() -> None:
    batch = submit(a=node(), b=node("a"))
    make_limit(Scope.KIND, "test.script", concurrent=5)
    sql.run(sql.ADOPT, {"after": 0, "limit": 100})
    assert statuses(batch)["b"] == "PENDING later"
    worker = make_worker()
    assert start(worker, batch).keys() == {"a"}
    assert_intact()


def test_a_node_with_two_failed_dependencies_waits_for_both() -> None:
    batch = submit(a=node(), b=node(), c=node("a", "b"))
    worker = make_worker()
    held = start(worker, batch)
    fail(held["a"])
    fail(held["b"])
    lifecycle.settle()
    lifecycle.retry(Task.objects.get(node="a"))
    finish(completed(start(worker, batch)["a"], {}))
    assert outcome(batch) == Status.FAILED
    assert statuses(batch)["c"] == "CANCELLED"
    lifecycle.retry(Task.objects.get(node="b"))
    finish(completed(start(worker, batch)["b"], {}))
    assert start(worker, batch).keys() == {"c"}


def test_cancelling_cancels_what_is_below() -> None:
    batch = submit(a=node(on_failure="continue"), b=node("a"), c=node())
    lifecycle.cancel(Task.objects.get(node="a"))
    worker = make_worker()
    assert start(worker, batch).keys() == {"c"}
    assert statuses(batch)["b"] == "CANCELLED"
    assert lifecycle.cancel_batch(batch) == 1


def test_a_node_is_repeated_for_each_item() -> None:
    batch = submit(
        fetch=node(),
        each=node(
            input={"do": "return", "url": {"$item": "url"}, "whole": {"$item": ""}},
            map={"$result": "fetch.pages"},
        ),
        sum=node(input={"do": "return", "lengths": {"$result": "each.results"}}),
    )
    worker = make_worker()
    pages = [{"url": "one"}, {"url": "two"}]
    finish(completed(start(worker, batch)["fetch"], {"pages": pages}))
    held = start(worker, batch)
    assert held.keys() == {"each.0", "each.1"}
    assert held["each.1"].input == {"do": "return", "url": "two", "whole": {"url": "two"}}
    finish(completed(held["each.1"], {"length": 2}))
    finish(completed(held["each.0"], {"length": 1}))
    held = start(worker, batch)
    assert held.keys() == {"each"}
    assert held["each"].kind == "workflow.gather"
    finish(completed(held["each"], {"results": [{"length": 1}, {"length": 2}]}))
    held = start(worker, batch)
    assert held["sum"].input["lengths"] == [{"length": 1}, {"length": 2}]
    assert_intact()


@pytest.mark.parametrize("items", [[], "no list", None])
def test_a_list_without_items_and_what_is_no_list(items: Any) -> None:
    batch = submit(
        fetch=node(), each=node(input={"n": {"$item": ""}}, map={"$result": "fetch.items"})
    )
    worker = make_worker()
    finish(completed(start(worker, batch)["fetch"], {"items": items}))
    held = start(worker, batch)
    if items == []:
        assert held.keys() == {"each"}
    else:
        assert outcome(batch) == Status.FAILED
        assert "must be a list" in Task.objects.get(node="each").error["detail"]


def test_a_workflow_runs_from_end_to_end(run_tasks) -> None:
    batch = submit(
        {"callback_url": "https://example.com/done"},
        numbers=node(kind="test.sum", input={"numbers": [1, 2]}),
        more=node(kind="test.sum", input={"numbers": [{"$result": "numbers.sum"}, 10]}),
        most=node(
            kind="test.sum",
            input={"numbers": [{"$result": "numbers.sum"}, {"$result": "more.sum"}]},
        ),
    )
    run_tasks(processes=2)
    batch.refresh_from_db()
    assert batch.outcome == Status.COMPLETED
    assert Task.objects.get(node="most").result == {"sum": 16}
    assert Task.objects.filter(kind="callback.deliver").count() == 1


def test_a_limit_holds_for_tasks_that_waited() -> None:
    make_limit(concurrent=1)
    batch = submit(a=node(), b=node("a"), c=node("a"))
    worker = make_worker()
    finish(completed(start(worker, batch)["a"], {}))
    held = start(worker, batch)
    assert len(held) == 1
    assert_intact()


@pytest.mark.parametrize(
    ("nodes", "field", "part"),
    [
        ({}, "tasks", "Use 1 to 10,000 tasks"),
        ({"a b": node()}, "tasks.a b", "The name is not valid"),
        ({"a": node("b")}, "tasks.a.after", "no task named b"),
        ({"a": node("a")}, "tasks", "wait for each other: a after a"),
        ({"a": node("b"), "b": node("a")}, "tasks", "wait for each other"),
        ({"a": node(kind="none")}, "tasks.a.kind", "no kind named"),
        ({"a": node(input={"x": {"$result": ""}})}, "tasks.a.input.x", "Use a name"),
        ({"a": node(input={"x": {"$result": "b", "y": 1}})}, "tasks.a.input.x", "one field"),
        ({"a": node(input={"x": {"$item": ""}})}, "tasks.a.input.x", "cannot be used here"),
        ({"a": node(input={"x": {"$batch": "id"}})}, "tasks.a.input.x", "cannot be used here"),
        ({"a": node(map={"x": 1})}, "tasks.a.map", "reference to a list"),
        ({"a": node(kind="text.analyze", input={})}, "tasks.a.input", "required"),
    ],
)
def test_an_invalid_workflow_is_refused_whole(
    nodes: dict[str, Node], field: str, part: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        lifecycle.submit_workflow({"fine": node(), **nodes} if nodes else {})
    ((place, message),) = [(error.field, error.message) for error in refused.value.errors]
    assert place.startswith(field)
    assert part in message
    assert not Task.objects.exists()
    assert not Batch.objects.exists()


def test_a_repeated_request_gets_the_same_workflow() -> None:
    options = {"idempotency_key": "k"}
    first, second = (submit(options, a=node(), b=node("a")) for _ in range(2))
    assert (second.pk, second.replayed, second.nodes) == (first.pk, True, first.nodes)
