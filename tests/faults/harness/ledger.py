"""Ledger of a run, kept beside the engine: accepted tasks and all their status changes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

# `clobber` marks a change of an ended task, other than a retry; there must be none.
# The effects themselves are rows of tests.script's Effect, which has no unique key.
TABLES = """
CREATE TABLE faults_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    was text,
    became text,
    attempt integer,
    lease integer,
    worker_id bigint,
    clobber boolean NOT NULL
);
CREATE INDEX ON faults_history (task_id, id);
CREATE INDEX ON faults_history (worker_id, at);
CREATE TABLE faults_fault (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    what text NOT NULL,
    worker_id bigint
);
CREATE FUNCTION faults_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO faults_history (task_id, was, became, attempt, lease, worker_id, clobber)
        VALUES (NEW.id, NULL, NEW.status, NEW.attempt, NEW.lease, NEW.worker_id, false);
    ELSE
        INSERT INTO faults_history (task_id, was, became, attempt, lease, worker_id, clobber)
        VALUES (
            NEW.id, OLD.status, NEW.status, NEW.attempt, NEW.lease, NEW.worker_id,
            OLD.status IN ('COMPLETED', 'FAILED', 'CANCELLED')
                AND (OLD.status = 'COMPLETED' OR NEW.status <> 'PENDING')
        );
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER faults_submitted AFTER INSERT ON tasks_task
    FOR EACH ROW EXECUTE FUNCTION faults_note();
CREATE TRIGGER faults_moved
    AFTER UPDATE OF status, lease, attempt, result, error, finished_at ON tasks_task
    FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status OR OLD.lease IS DISTINCT FROM NEW.lease
        OR OLD.status IN ('COMPLETED', 'FAILED', 'CANCELLED')
    )
    EXECUTE FUNCTION faults_note();
"""


def create(connection: BaseDatabaseWrapper) -> None:
    """Create the tables and the triggers that fill the history."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)


class Accepted:
    """A client's own file of the ids of accepted tasks, outside the database."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, ids: Iterable[uuid.UUID | str]) -> None:
        """Append ids and sync the file; safe from any thread."""
        os.write(self._opened, "".join(f"{task_id}\n" for task_id in ids).encode())
        os.fsync(self._opened)

    def ids(self) -> list[uuid.UUID]:
        """Return every id that was accepted."""
        return [uuid.UUID(line) for line in self.file.read_text().split()]

    def close(self) -> None:
        """Close the file."""
        os.close(self._opened)
