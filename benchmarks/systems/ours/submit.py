from __future__ import annotations

import os
from collections.abc import Sequence

import django

from benchmarks.submitting import main
from benchmarks.work import Input

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from tasks.lifecycle import submit, submit_many  # noqa: E402 needs Django set up
from tasks.lifecycle.preparation import prepare  # noqa: E402

BATCH = 5_000
# A queue other than the kind's own, where the backlog must not be touched.
QUEUE = os.environ.get("BENCHMARK_QUEUE")


def many(inputs: Sequence[Input]) -> None:
    """Submit the tasks in batches, each one transaction."""
    submissions = [prepare("benchmark.sum", input.as_json()) for input in inputs]
    for start in range(0, len(inputs), BATCH):
        submit_many(submissions[start : start + BATCH])


def one(input: Input) -> str:
    """Submit a single task."""
    return str(submit("benchmark.sum", input.as_json(), queue=QUEUE).id)


if __name__ == "__main__":
    main(many, one, table="tasks_task")
