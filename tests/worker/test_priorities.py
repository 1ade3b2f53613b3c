"""Priorities: the three documented queues are processed in order under load."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tasks import kinds, lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.script.models import Effect

pytestmark = pytest.mark.django_db(transaction=True)

EACH = 300
# Too slow for mini-batches, whose members may be put back and begun later.
SLOWLY = {"seconds": 0.006}
BY_PRIORITY = {
    "conversations": "conversation.message",
    "webhooks": "webhook.generic",
    "analytics": "conversation.batch_analysis",
}


def test_the_three_queues_have_three_priorities() -> None:
    queues = [(kinds.get(name).queue, kinds.get(name).priority) for name in BY_PRIORITY.values()]
    assert queues == [("conversations", 10), ("webhooks", 5), ("analytics", 0)]


def test_one_slot_takes_the_tasks_of_three_queues_by_priority(
    run_tasks: Callable[..., None],
) -> None:
    # The lowest first, and then in turn: nothing but the priority puts them in order.
    waiting = [
        prepare("test.effect", SLOWLY, queue=queue, priority=kinds.get(name).priority)
        for _ in range(EACH)
        for queue, name in reversed(BY_PRIORITY.items())
    ]
    lifecycle.submit_many(waiting)
    run_tasks(concurrency=1, within=60)
    queue_of = {task.pk: task.queue for task in Task.objects.filter(status=Status.COMPLETED)}
    order = [queue_of[id] for id in Effect.objects.order_by("id").values_list("task_id", flat=True)]
    # A twentieth of each claim has a lower priority: nothing starves, and little is out of order.
    assert Counter(order[:EACH])["conversations"] >= 0.9 * EACH
    assert Counter(order[EACH : 2 * EACH])["webhooks"] >= 0.8 * EACH
    assert Counter(order[2 * EACH :])["analytics"] >= 0.8 * EACH
