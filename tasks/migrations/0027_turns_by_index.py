from __future__ import annotations

from django.db import migrations

# The planner turns `(attempts > 0) = false` into `attempts <= 0`, for which it has no index: it read
# all that waits and sorted it. It does not for a value that comes from another row.
PRIMARY_LANE = "(SELECT false AS tried OFFSET 0) AS lane"

# By cost, a plan that was made while next to nothing waited would read all that waits later.
BY_INDEX = "SET enable_seqscan = off SET enable_bitmapscan = off"

# As in 0009.
LAST_TURN_BEFORE = """
CREATE OR REPLACE FUNCTION tasks_last_turn(queue text, level integer, owner bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce(
        (
            SELECT tasks_turn FROM procrastinate_jobs
            WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%'
                AND attempts = 0 AND queue_name = queue AND priority = level
                AND tasks_owner = owner
            ORDER BY tasks_turn DESC
            LIMIT 1
        ),
        (
            SELECT tasks_turn - 1 FROM procrastinate_jobs
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

LAST_TURN = f"""
CREATE OR REPLACE FUNCTION tasks_last_turn(queue text, level integer, owner bigint) RETURNS bigint
LANGUAGE plpgsql STABLE {BY_INDEX} AS $$
BEGIN
    RETURN coalesce(
        (
            SELECT tasks_turn FROM procrastinate_jobs
            WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%'
                AND attempts = 0 AND queue_name = queue AND priority = level
                AND tasks_owner = owner
            ORDER BY tasks_turn DESC
            LIMIT 1
        ),
        (
            SELECT first.tasks_turn - 1
            FROM {PRIMARY_LANE}
            CROSS JOIN LATERAL (
                SELECT tasks_turn FROM procrastinate_jobs
                WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%'
                    AND (attempts > 0) = lane.tried AND queue_name = queue AND priority = level
                ORDER BY tasks_turn, id
                LIMIT 1
            ) AS first
        ),
        0
    );
END
$$
"""

# As in 0019.
FIRST_TURN_BEFORE = """
CREATE OR REPLACE FUNCTION tasks_first_turn(queue text, level integer) RETURNS bigint
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

FIRST_TURN = f"""
CREATE OR REPLACE FUNCTION tasks_first_turn(queue text, level integer) RETURNS bigint
LANGUAGE plpgsql STABLE {BY_INDEX} AS $$
BEGIN
    RETURN coalesce(
        (
            SELECT first.tasks_turn
            FROM {PRIMARY_LANE}
            CROSS JOIN LATERAL (
                SELECT tasks_turn FROM procrastinate_jobs
                WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%'
                    AND (attempts > 0) = lane.tried AND queue_name = queue AND priority = level
                ORDER BY tasks_turn, id
                LIMIT 1
            ) AS first
        ),
        0
    );
END
$$
"""

OTHERS = ("tasks_announce()", "tasks_job_owner(uuid)")


class Migration(migrations.Migration):
    """A submit by an owner who waits for nothing, and a task's return to the queue, read one job.

    They read every job that waited: 40 ms of 50,000.
    """

    dependencies = [("tasks", "0026_worker_kinds")]

    operations = [
        migrations.RunSQL(LAST_TURN, LAST_TURN_BEFORE),
        migrations.RunSQL(FIRST_TURN, FIRST_TURN_BEFORE),
        *(
            migrations.RunSQL(
                f"ALTER FUNCTION {name} {BY_INDEX}",
                f"ALTER FUNCTION {name} RESET enable_seqscan RESET enable_bitmapscan",
            )
            for name in OTHERS
        ),
    ]
