"""FastAPI site: a row in Postgres, if durable, and a message for Celery."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.systems.celery.app import run

POOL = 10
DURABLE = bool(os.environ.get("BENCHMARK_DURABLE"))
INSERT = "INSERT INTO task (id, input) VALUES ($1, $2)"


class Numbers(BaseModel):
    """The input of a task."""

    numbers: list[int]


class Submission(BaseModel):
    """The body of a request."""

    kind: str
    input: Numbers


class Submitted(BaseModel):
    """The body of the answer."""

    task_id: uuid.UUID
    status: str


pool: Any = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the pool of connections before the first request."""
    global pool
    if DURABLE:
        pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=POOL, max_size=POOL)
    yield
    if DURABLE:
        await pool.close()


app = FastAPI(lifespan=lifespan)


@app.post("/tasks", status_code=202)
async def submit(submission: Submission) -> Submitted:
    """Write the row, then send the message (in the event loop)."""
    task_id = uuid.uuid4()
    if DURABLE:
        await pool.execute(INSERT, task_id, json.dumps(submission.input.model_dump()))
    run.apply_async((str(task_id),))
    return Submitted(task_id=task_id, status="PENDING")
