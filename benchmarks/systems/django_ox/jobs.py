from __future__ import annotations

import time
from typing import Any

from django.tasks import task

from benchmarks.work import sum_numbers


@task()
def run_task(input: dict[str, Any]) -> dict[str, Any]:
    """Sum the numbers; the result is stored with the task."""
    return sum_numbers(input, time.time())
