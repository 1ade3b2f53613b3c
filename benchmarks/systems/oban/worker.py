"""oban-py's worker: the result is recorded with the job."""

from __future__ import annotations

import json
import time
from typing import Any

from oban import Job, Record, worker

from benchmarks.work import sum_numbers


@worker(queue="default")
class Sum:
    """Sum the numbers of a job."""

    async def process(self, job: Job) -> Record:
        """Return the result to be recorded, as JSON text so that SQL can check it."""
        began = time.time()
        input: dict[str, Any] = job.args
        return Record(json.dumps(sum_numbers(input, began)))
