"""Submitter for two queues: `flood COUNT SECONDS` at once, `steady RATE FOR SECONDS PRIORITY`."""

from __future__ import annotations

import os
import random
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from tasks.lifecycle import submit, submit_many  # noqa: E402 needs Django set up
from tasks.lifecycle.preparation import prepare  # noqa: E402
from tasks.models import Task  # noqa: E402

KIND = "benchmark.wait"
BATCH = 5_000
# Tasks submitted last may still begin within this time.
REST_SECONDS = 3.0


def flood(count: int, seconds: float) -> None:
    """Submit slow tasks in batches."""
    for start in range(0, count, BATCH):
        slow = range(start, min(start + BATCH, count))
        submit_many([prepare(KIND, {"seconds": seconds}, queue="flood") for _ in slow])


def steady(rate: float, duration: float, seconds: float, priority: int) -> None:
    """Submit short tasks at random moments, then wait up to REST_SECONDS for their end.

    A submit that is late does not delay the next.
    """
    moments = random.Random(round(rate))
    began = time.monotonic()
    due = 0.0
    while (due := due + moments.expovariate(rate)) < duration:
        time.sleep(max(0.0, began + due - time.monotonic()))
        submit(KIND, {"seconds": seconds}, queue="steady", priority=priority)
    deadline = time.monotonic() + REST_SECONDS
    left = Task.objects.filter(queue="steady", finished_at=None)
    while left.exists() and time.monotonic() < deadline:
        time.sleep(0.1)


if __name__ == "__main__":
    mode, *numbers = sys.argv[1:]
    if mode == "flood":
        flood(int(numbers[0]), float(numbers[1]))
    else:
        rate, duration, seconds, priority = map(float, numbers)
        steady(rate, duration, seconds, int(priority))
