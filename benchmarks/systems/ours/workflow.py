"""How long tasks take as one batch, and as a workflow of layers: seconds from submit to end."""

from __future__ import annotations

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from tasks.lifecycle import Node, submit_many, submit_workflow  # noqa: E402 needs Django set up
from tasks.lifecycle.preparation import prepare  # noqa: E402
from tasks.models import Batch, Task, Worker  # noqa: E402

KIND = "benchmark.limited"
LOOK_SECONDS = 0.01
LIMIT_SECONDS = 300.0


def batch(tasks: int, seconds: float) -> float:
    """Return how long a batch takes, from its submit to the end of its last task."""
    began = time.monotonic()
    new = [prepare(KIND, {"seconds": seconds}) for _ in range(tasks)]
    ids = submit_many(new).pk
    left = Task.objects.filter(batch=ids, finished_at=None)
    return _until(began, lambda: not left.exists())


def workflow(layers: int, width: int, seconds: float) -> float:
    """Return how long a workflow takes in which each task waits for two of the layer before."""
    began = time.monotonic()
    nodes = {}
    for layer in range(layers):
        for place in range(width):
            before = {place, (place + 1) % width} if layer else set()
            nodes[f"n{layer}_{place}"] = Node(
                kind=KIND,
                input={"seconds": seconds},
                after=[f"n{layer - 1}_{each}" for each in sorted(before)],
            )
    submitted = submit_workflow(nodes)
    ended = Batch.objects.filter(pk=submitted.pk, ended_at__isnull=False)
    return _until(began, ended.exists)


def _until(began: float, has_ended: object) -> float:
    assert callable(has_ended)
    while not has_ended():
        if time.monotonic() - began > LIMIT_SECONDS:
            raise TimeoutError
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


if __name__ == "__main__":
    layers, width, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    while Worker.objects.count() < 2:
        time.sleep(LOOK_SECONDS)
    # Warm: the first statements are planned.
    batch(100, 0.0)
    workflow(3, 5, 0.0)
    print(batch(layers * width, seconds), workflow(layers, width, seconds))
