from __future__ import annotations

from django.db import migrations

OLD_INDEXES = (
    (
        "CREATE INDEX tasks_primary_lane ON procrastinate_jobs (priority DESC, id)"
        " WHERE status = 'todo' AND attempts = 0 AND scheduled_at IS NULL",
        "DROP INDEX IF EXISTS tasks_primary_lane",
    ),
    (
        "CREATE INDEX tasks_retry_lane ON procrastinate_jobs (priority DESC, id)"
        " WHERE status = 'todo' AND attempts > 0 AND scheduled_at IS NULL",
        "DROP INDEX IF EXISTS tasks_retry_lane",
    ),
)

# What waits, in the order in which it is claimed, for each queue and each of its two lanes.
WAITING = """
CREATE INDEX tasks_waiting ON procrastinate_jobs
    (queue_name, (attempts > 0), priority DESC, tasks_turn, id)
WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%'
"""

# How far the turns of one owner reach.
TURNS = """
CREATE INDEX tasks_turns ON procrastinate_jobs (queue_name, priority, tasks_owner, tasks_turn)
WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%' AND attempts = 0
"""

# The turn after which an owner's next job comes: the last that this owner waits for already, or, for
# one who waits for none, the turn that is being served. So whoever has fifty thousand jobs waiting
# goes on in turns with whoever has one: start-time fair queueing (Goyal, Vin, Cheng, 1996).
LAST_TURN = """
CREATE FUNCTION tasks_last_turn(queue text, level integer, owner bigint) RETURNS bigint
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

class Migration(migrations.Migration):
    """Turns, so that nobody's tasks wait behind all of somebody else's.

    Processes of the version before go on: what they submit has turn 0, and is served first.
    """

    dependencies = [
        ("tasks", "0008_busy_tables"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE procrastinate_jobs"
            " ADD COLUMN tasks_owner bigint NOT NULL DEFAULT 0,"
            " ADD COLUMN tasks_turn bigint NOT NULL DEFAULT 0",
            "ALTER TABLE procrastinate_jobs DROP COLUMN tasks_owner, DROP COLUMN tasks_turn",
        ),
        migrations.RunSQL(WAITING, "DROP INDEX tasks_waiting"),
        migrations.RunSQL(TURNS, "DROP INDEX tasks_turns"),
        migrations.RunSQL(
            LAST_TURN, "DROP FUNCTION tasks_last_turn(text, integer, bigint)"
        ),
        *(migrations.RunSQL(drop, create) for create, drop in OLD_INDEXES),
    ]
