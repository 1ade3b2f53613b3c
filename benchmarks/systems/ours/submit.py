from __future__ import annotations

import os
import sys
import time

import django

from benchmarks.work import inputs

BATCH = 5_000


def submit(tasks: int) -> None:
    """Submit the tasks in batches, each one transaction."""
    # Importable only once Django is set up.
    from tasks.lifecycle import submit_many
    from tasks.submission import Submission

    submissions = [Submission.of("benchmark.sum", input.as_json()) for input in inputs(tasks)]
    for start in range(0, tasks, BATCH):
        submit_many(submissions[start : start + BATCH])


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    django.setup()
    started = time.perf_counter()
    submit(int(sys.argv[1]))
    sys.stdout.write(f"{time.perf_counter() - started}\n")
