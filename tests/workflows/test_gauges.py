"""Gauges of batches and workflows."""

from __future__ import annotations

import pytest

from tasks import lifecycle
from tasks.lifecycle import Following
from tasks.lifecycle.preparation import prepare
from tasks.metrics.gauges import GAUGES

pytestmark = pytest.mark.django_db(transaction=True)


def values() -> dict[str, float]:
    return {
        sample.name: sample.value for metric in GAUGES["batches"]() for sample in metric.samples
    }


def test_batches_that_run_and_ends_that_nobody_has_acted_upon_are_counted() -> None:
    new = [prepare("test.sum") for _ in range(3)]
    batch = lifecycle.submit_many(new, following=Following(then=prepare("test.sum")))
    lifecycle.submit_many([prepare("test.sum")])
    assert values() == {"tasks_batches_running": 1, "tasks_ends_noted": 0}
    lifecycle.cancel_batch(batch)
    assert values() == {"tasks_batches_running": 1, "tasks_ends_noted": 4}
    lifecycle.settle()
    assert values() == {"tasks_batches_running": 0, "tasks_ends_noted": 0}
