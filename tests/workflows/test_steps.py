"""Workflows in Python: chains, groups, chords."""

from __future__ import annotations

import pytest

from tasks import chain, chord, group, step, workflow
from tasks.errors import InvalidInput
from tasks.models import Status, Task

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_chain_passes_results_on(run_tasks) -> None:
    batch = chain(
        step("test.sum", {"numbers": [1, 2]}),
        step("test.sum", {"numbers": [{"$result": "previous.sum"}, 10]}),
        step("test.sum", {"numbers": [{"$result": "previous.sum"}, {"$result": "step_1.sum"}]}),
    ).submit(name="Chain")
    run_tasks()
    batch.refresh_from_db()
    assert (batch.name, batch.outcome) == ("Chain", Status.COMPLETED)
    assert Task.objects.get(node="step_3").result == {"sum": 16}


def test_a_chord_collects_results(run_tasks) -> None:
    parts = [step("test.sum", {"numbers": [n]}) for n in range(3)]
    last = step("test.script", {"do": "return", "value": {"$batch": "results"}})
    batch = chord(parts, then=last).submit()
    run_tasks()
    results = [{"sum": n} for n in range(3)]
    assert Task.objects.get(pk=batch.then_id).input["value"] == results


def test_a_group_ends(run_tasks) -> None:
    steps = [step("test.sum", {"numbers": [n]}, priority=n) for n in range(3)]
    batch = group(*steps, name="Three", on_failure="stop").submit()
    run_tasks()
    batch.refresh_from_db()
    assert (batch.name, batch.outcome, batch.total) == ("Three", Status.COMPLETED, 3)


def test_a_workflow_names_its_steps(run_tasks) -> None:
    batch = workflow(
        numbers=step("test.sum", {"numbers": [2, 3]}),
        twice=step("test.sum", {"numbers": [{"$result": "numbers.sum"}] * 2}),
        last=step("test.sum", {"numbers": [1]}, after=["twice"]),
    ).submit()
    run_tasks()
    assert batch.nodes
    assert Task.objects.get(pk=batch.nodes["twice"]).result == {"sum": 10}


def test_a_chain_without_a_step_before_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no task named previous"):
        chain(step("test.sum", {"numbers": [{"$result": "previous.sum"}]})).submit()
