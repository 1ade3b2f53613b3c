from __future__ import annotations

from django.db import migrations

# As in 0010.
BEFORE = """
CREATE OR REPLACE FUNCTION tasks_announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM inserted
        WHERE task_name LIKE 'task:%' AND status = 'todo'
            AND (scheduled_at IS NULL OR scheduled_at <= statement_timestamp())
    ) THEN
        PERFORM pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
    END IF;
    RETURN NULL;
END
$$
"""

# Also for jobs that are due within a worker's poll (POLL_SECONDS); but not for what waits behind
# another of the same kind in its lane: whoever may take that was told of it, and goes on until nothing
# waits. Commits that notify come one after another in all of PostgreSQL, each with its own write
# to the disk; others share theirs. Only for a statement that says that it is committed at once
# (`submit.sql`): when a commit comes later, the other may be gone by then.
AFTER = """
CREATE OR REPLACE FUNCTION tasks_announce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT DISTINCT queue_name, task_name, attempts > 0 AS tried, scheduled_at
            FROM inserted
            WHERE task_name LIKE 'task:%' AND status = 'todo' AND (
                scheduled_at IS NULL
                OR scheduled_at <= statement_timestamp() + interval '1 second'
            )
        ) AS come
        WHERE come.scheduled_at IS NOT NULL
            OR current_setting('tasks.commits_at_once', true) IS DISTINCT FROM 'true'
            OR come.task_name IS DISTINCT FROM (
                SELECT waiting.task_name
                FROM procrastinate_jobs AS waiting
                WHERE waiting.status = 'todo' AND waiting.scheduled_at IS NULL
                    AND waiting.task_name LIKE 'task:%'
                    AND waiting.queue_name = come.queue_name
                    AND (waiting.attempts > 0) = come.tried
                    AND waiting.id <> ALL (SELECT id FROM inserted)
                ORDER BY waiting.priority DESC, waiting.tasks_turn, waiting.id
                LIMIT 1
            )
    ) THEN
        PERFORM pg_notify('procrastinate_any_queue_v1', '{"type": "job_inserted", "job_id": 0}');
    END IF;
    RETURN NULL;
END
$$
"""


class Migration(migrations.Migration):
    """Tell workers of what is due soon, so that they wake for it; and of nothing that they know."""

    dependencies = [("tasks", "0013_census")]

    operations = [migrations.RunSQL(AFTER, BEFORE)]
