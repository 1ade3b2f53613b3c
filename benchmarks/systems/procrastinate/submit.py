from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import django
from django.db import transaction

from benchmarks.submitting import main
from benchmarks.work import Input

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.systems.procrastinate.settings"
django.setup()

from benchmarks.systems.procrastinate.jobs import run_task  # noqa: E402 needs Django set up
from benchmarks.systems.procrastinate.models import Task  # noqa: E402

BATCH = 1_000


def many(inputs: Sequence[Input]) -> None:
    """Create rows and defer jobs in batches, each one transaction."""
    for start in range(0, len(inputs), BATCH):
        tasks = [Task(input=input.as_json()) for input in inputs[start : start + BATCH]]
        jobs: list[dict[str, Any]] = [{"task_id": str(task.id)} for task in tasks]
        with transaction.atomic():
            Task.objects.bulk_create(tasks)
            run_task.batch_defer(*jobs)


def one(input: Input) -> str:
    """Create a row and defer its job in one transaction."""
    with transaction.atomic():
        task = Task.objects.create(input=input.as_json())
        run_task.defer(task_id=str(task.id))
    return str(task.id)


if __name__ == "__main__":
    main(many, one, table="task")
