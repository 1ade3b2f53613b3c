from __future__ import annotations

import time

from django.db.models import F
from django.utils import timezone
from procrastinate.contrib.django import app

from benchmarks.systems.procrastinate.models import Task
from benchmarks.work import sum_numbers


@app.task(name="benchmark.sum")
def run_task(task_id: str) -> None:
    """Claim, run and finish one task by updates through the ORM."""
    began = time.time()
    waiting = Task.objects.filter(id=task_id, status__in=["PENDING", "PROCESSING"])
    waiting.update(status="PROCESSING", attempt=F("attempt") + 1, started_at=timezone.now())
    task = Task.objects.only("input", "attempt").get(id=task_id)
    result = sum_numbers(task.input, began)
    Task.objects.filter(id=task_id, status="PROCESSING", attempt=task.attempt).update(
        status="COMPLETED", result=result, finished_at=timezone.now()
    )
