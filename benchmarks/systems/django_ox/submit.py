from __future__ import annotations

import os
from collections.abc import Sequence

import django

from benchmarks.submitting import main
from benchmarks.work import Input

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.systems.django_ox.settings"
django.setup()

from django_ox.bulk import enqueue_many  # noqa: E402 needs Django set up

from benchmarks.systems.django_ox.jobs import run_task  # noqa: E402

BATCH = 1_000


def many(inputs: Sequence[Input]) -> None:
    """Enqueue tasks in batches, each one transaction."""
    for start in range(0, len(inputs), BATCH):
        batch = inputs[start : start + BATCH]
        enqueue_many(run_task, [((input.as_json(),), {}) for input in batch])


def one(input: Input) -> str:
    """Enqueue a single task."""
    return str(run_task.enqueue(input.as_json()).id)


if __name__ == "__main__":
    main(many, one, table="task")
