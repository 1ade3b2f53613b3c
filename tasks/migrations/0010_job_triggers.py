from __future__ import annotations

from django.db import migrations

# procrastinate's row triggers, as its schema 3.10 has them: name, when, function, condition.
ROW_TRIGGERS = (
    (
        "procrastinate_jobs_notify_queue_job_inserted_v1",
        "AFTER INSERT",
        "procrastinate_notify_queue_job_inserted_v1",
        "new.status = 'todo'",
        "new",
    ),
    (
        "procrastinate_trigger_status_events_update_v1",
        "AFTER UPDATE OF status",
        "procrastinate_trigger_function_status_events_update_v1",
        None,
        "new",
    ),
    (
        "procrastinate_trigger_status_events_insert_v1",
        "AFTER INSERT",
        "procrastinate_trigger_function_status_events_insert_v1",
        "new.status = 'todo'",
        "new",
    ),
    (
        "procrastinate_trigger_scheduled_events_v1",
        "AFTER INSERT OR UPDATE",
        "procrastinate_trigger_function_scheduled_events_v1",
        "new.scheduled_at IS NOT NULL AND new.status = 'todo'",
        "new",
    ),
    (
        "procrastinate_trigger_delete_jobs_v1",
        "BEFORE DELETE",
        "procrastinate_unlink_periodic_defers_v1",
        None,
        "old",
    ),
)

# What the foreign keys did for the jobs of other applications.
FORGET_EVENTS = """
CREATE FUNCTION tasks_forget_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM procrastinate_events WHERE job_id = OLD.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_forget_events AFTER DELETE ON procrastinate_jobs
    FOR EACH ROW WHEN (old.task_name NOT LIKE 'task:%')
    EXECUTE FUNCTION tasks_forget_events()
"""

# In procrastinate's own words, which its stock worker also understands.
ANNOUNCE = """
CREATE FUNCTION tasks_announce() RETURNS trigger LANGUAGE plpgsql AS $$
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
$$;
CREATE TRIGGER tasks_announce AFTER INSERT ON procrastinate_jobs
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT
    EXECUTE FUNCTION tasks_announce()
"""

FOREIGN_KEYS = (
    (
        "procrastinate_events",
        "procrastinate_events_job_id_fkey",
        "FOREIGN KEY (job_id) REFERENCES procrastinate_jobs ON DELETE CASCADE",
    ),
    (
        "procrastinate_periodic_defers",
        "procrastinate_periodic_defers_job_id_fkey",
        "FOREIGN KEY (job_id) REFERENCES procrastinate_jobs (id)",
    ),
)


def _trigger(name: str, event: str, function: str, condition: str | None) -> str:
    when = f" WHEN ({condition})" if condition else ""
    return (
        f"CREATE OR REPLACE TRIGGER {name} {event} ON procrastinate_jobs"
        f" FOR EACH ROW{when} EXECUTE FUNCTION {function}()"
    )


def _without_ours(
    name: str, event: str, function: str, condition: str | None, row: str
) -> migrations.RunSQL:
    """Let a trigger fire for the jobs of other applications only."""
    theirs = f"{row}.task_name NOT LIKE 'task:%'"
    return migrations.RunSQL(
        _trigger(name, event, function, f"{condition} AND {theirs}" if condition else theirs),
        _trigger(name, event, function, condition),
    )


class Migration(migrations.Migration):
    """Free our jobs from triggers that do nothing for them; one notice a statement.

    procrastinate writes two or three events for each job, asks its foreign keys at each delete, and
    notifies twice for each row: more work than our own statements. Task and attempts tell our
    history. Jobs of other applications keep all of it.
    """

    dependencies = [
        ("tasks", "0009_fair_shares"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        *(_without_ours(*trigger) for trigger in ROW_TRIGGERS),
        migrations.RunSQL(
            "DELETE FROM procrastinate_events USING procrastinate_jobs AS job"
            " WHERE job.id = job_id AND job.task_name LIKE 'task:%'",
            migrations.RunSQL.noop,
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} DROP CONSTRAINT {name}",
                f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}",
            )
            for table, name, definition in FOREIGN_KEYS
        ),
        migrations.RunSQL(
            FORGET_EVENTS,
            "DROP TRIGGER tasks_forget_events ON procrastinate_jobs;"
            " DROP FUNCTION tasks_forget_events()",
        ),
        migrations.RunSQL(
            ANNOUNCE,
            "DROP TRIGGER tasks_announce ON procrastinate_jobs; DROP FUNCTION tasks_announce()",
        ),
    ]
