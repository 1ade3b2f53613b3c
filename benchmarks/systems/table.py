"""Task table of the peers: this project's columns, a primary key, no other index."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.work import Input

TABLE = """
CREATE TABLE task (
    id uuid PRIMARY KEY,
    status text NOT NULL DEFAULT 'PENDING',
    attempt int NOT NULL DEFAULT 0,
    input jsonb NOT NULL,
    result jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
)
"""
INSERT = "INSERT INTO task (id, input) VALUES (%s, %s)"


def main() -> None:
    """Create the table."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute(TABLE)


def insert(connection: psycopg.Connection[Any], inputs: Sequence[Input]) -> list[str]:
    """Insert a row for each input in the open transaction; return the ids."""
    rows = [(uuid.uuid4(), Jsonb(input.as_json())) for input in inputs]
    if len(rows) == 1:
        connection.execute(INSERT, rows[0], prepare=True)
    else:
        connection.cursor().executemany(INSERT, rows)
    return [str(task_id) for task_id, _ in rows]


if __name__ == "__main__":
    main()
