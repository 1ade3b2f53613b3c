from __future__ import annotations

from django.db import migrations

# In whose turns the job of a task comes: those of its owner, or of the receiver of a callback.
JOB_OWNER = """
CREATE FUNCTION tasks_job_owner(task uuid) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT CASE kind
            WHEN 'callback.deliver' THEN (
                SELECT tasks_receiver(ended.owner_id, ended.callback_url)
                FROM tasks_task AS ended
                WHERE ended.id = (tasks_task.input ->> 'task_id')::uuid
            )
            ELSE coalesce(owner_id, 0)
        END
        FROM tasks_task
        WHERE id = task
    );
END
$$
"""

# The turn that is being served. A task that is queued again although it used no attempt comes back
# in it, and so before those that wait: its job has the smaller number.
FIRST_TURN = """
CREATE FUNCTION tasks_first_turn(queue text, level integer) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce(
        (
            SELECT tasks_turn FROM procrastinate_jobs
            WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%'
                AND (attempts > 0) = false AND queue_name = queue AND priority = level
            ORDER BY tasks_turn, id
            LIMIT 1
        ),
        0
    );
END
$$
"""

# procrastinate's indexes of locks, as its schema 3.10 has them: name, definition. Our jobs have no
# lock; without these entries each costs less to insert and to delete.
LOCKS = (
    (
        "procrastinate_jobs_queueing_lock_idx_v1",
        "CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1"
        " ON procrastinate_jobs (queueing_lock) WHERE status = 'todo'",
        "queueing_lock IS NOT NULL",
    ),
    (
        "procrastinate_jobs_id_lock_idx_v1",
        "CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON procrastinate_jobs (id, lock)"
        " WHERE status IN ('todo', 'doing')",
        "lock IS NOT NULL",
    ),
)


# As in 0014.
ANNOUNCE_BEFORE = """
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

# Also says which queues the jobs are in, unless these are too many for a notification, and whether
# some are scheduled: a worker that need not look does not.
ANNOUNCE = """
CREATE OR REPLACE FUNCTION tasks_announce() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    announced jsonb;
BEGIN
    SELECT jsonb_build_object(
        'type', 'job_inserted', 'job_id', 0,
        'queues', jsonb_agg(DISTINCT come.queue_name),
        'scheduled', bool_or(come.scheduled_at IS NOT NULL)
    )
    INTO announced
    FROM (
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
    HAVING count(*) > 0;
    IF announced IS NOT NULL THEN
        IF octet_length(announced::text) > 7000 THEN
            announced = announced - 'queues';
        END IF;
        PERFORM pg_notify('procrastinate_any_queue_v1', announced::text);
    END IF;
    RETURN NULL;
END
$$
"""


class Migration(migrations.Migration):
    """What statements need that delete a job when they claim it; and less work for each job.

    Locks no table but that of the jobs: statements that go on use it and others in other orders, and
    a migration that locked two would deadlock with them.

    Workers of the version before go on: their claims leave the jobs, and each version queues again
    what the other had claimed.
    """

    dependencies = [
        ("tasks", "0018_secret_fingerprints"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.RunSQL(JOB_OWNER, "DROP FUNCTION tasks_job_owner(uuid)"),
        migrations.RunSQL(FIRST_TURN, "DROP FUNCTION tasks_first_turn(text, integer)"),
        migrations.RunSQL(ANNOUNCE, ANNOUNCE_BEFORE),
        *(
            migrations.RunSQL(
                f"DROP INDEX {name}; {definition} AND {condition}",
                f"DROP INDEX {name}; {definition}",
            )
            for name, definition, condition in LOCKS
        ),
        # Read by procrastinate's own claim only, which finds other applications' jobs by their
        # queues.
        migrations.RunSQL(
            "DROP INDEX procrastinate_jobs_priority_idx_v1",
            "CREATE INDEX procrastinate_jobs_priority_idx_v1"
            " ON procrastinate_jobs (priority DESC, id) WHERE status = 'todo'",
        ),
    ]
