from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

# The end of a task that others wait for: noted in whatever statement, of whatever version, ends or
# deletes it. The notification wakes the leaders of workers, which act upon it.
NOTE_ENDS = """
CREATE FUNCTION tasks_note_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO tasks_notedend (task_id, batch_id, status)
        VALUES (
            OLD.id, OLD.batch_id,
            CASE WHEN OLD.finished_at IS NULL THEN 'deleted' ELSE OLD.status END
        );
    ELSE
        INSERT INTO tasks_notedend (task_id, batch_id, status)
        VALUES (NEW.id, NEW.batch_id, NEW.status);
    END IF;
    PERFORM pg_notify(
        'procrastinate_any_queue_v1',
        '{"type": "job_inserted", "job_id": 0, "queues": [], "scheduled": true}'
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_note_end AFTER UPDATE OF status ON tasks_task
    FOR EACH ROW WHEN (
        new.is_awaited AND new.finished_at IS NOT NULL AND old.finished_at IS NULL
    )
    EXECUTE FUNCTION tasks_note_end();
CREATE TRIGGER tasks_note_answer AFTER INSERT ON tasks_task
    FOR EACH ROW WHEN (new.is_awaited AND new.finished_at IS NOT NULL)
    EXECUTE FUNCTION tasks_note_end();
CREATE TRIGGER tasks_note_deletion AFTER DELETE ON tasks_task
    FOR EACH ROW WHEN (old.is_awaited AND old.finished_at IS NULL)
    EXECUTE FUNCTION tasks_note_end()
"""
NO_NOTES = """
DROP TRIGGER tasks_note_end ON tasks_task;
DROP TRIGGER tasks_note_answer ON tasks_task;
DROP TRIGGER tasks_note_deletion ON tasks_task;
DROP FUNCTION tasks_note_end()
"""
# Whether a batch is awaited and has not ended, or ends again because a member was retried.
IS_RUNNING = """
CREATE FUNCTION tasks_is_running(batch uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM tasks_batch WHERE id = batch AND ended_at IS NULL)
        OR EXISTS (
            SELECT FROM tasks_task
            WHERE batch_id = batch AND is_awaited AND finished_at IS NULL
        )
$$
"""
# The version before knows no dependencies: what waits for others is cancelled, not started too early.
CANCEL_WAITING = """
UPDATE tasks_task
SET status = 'CANCELLED', job_id = NULL, finished_at = now(), scheduled_at = NULL,
    error = '{
        "type": "Cancelled", "title": "Cancelled",
        "detail": "The version in use does not know tasks that wait for others."
    }'
WHERE status = 'PENDING' AND scheduled_at = 'infinity'
    AND id IN (SELECT task_id FROM tasks_dependency);
DELETE FROM procrastinate_jobs AS job
USING tasks_dependency AS dependency
WHERE job.args ->> 'task_id' = dependency.task_id::text AND job.scheduled_at = 'infinity'
"""


class Migration(migrations.Migration):
    """Tasks can wait for the end of others, and batches end."""

    dependencies = [("tasks", "0038_permits_of_replaced_tasks")]

    operations = [
        migrations.CreateModel(
            name="NotedEnd",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("task_id", models.UUIDField(null=True)),
                ("batch_id", models.UUIDField(null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("PENDING", "Pending"),
                            ("PROCESSING", "Processing"),
                            ("COMPLETED", "Completed"),
                            ("FAILED", "Failed"),
                            ("CANCELLED", "Cancelled"),
                            ("deleted", "Deleted"),
                            ("retried", "Retried"),
                        ],
                        max_length=10,
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "indexes": [models.Index(fields=["batch_id"], name="noted_end_batch")],
            },
        ),
        migrations.CreateModel(
            name="Dependency",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="dependencies",
                        to="tasks.batch",
                    ),
                ),
                ("task_id", models.UUIDField()),
                ("on_id", models.UUIDField()),
                ("needs_success", models.BooleanField()),
                ("met", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ("id",),
                "verbose_name_plural": "dependencies",
                "constraints": [
                    models.UniqueConstraint(fields=("task_id", "on_id"), name="dependency_once")
                ],
                "indexes": [
                    models.Index(fields=["on_id"], name="dependency_on"),
                    models.Index(
                        condition=models.Q(("met", False)),
                        fields=["task_id"],
                        name="dependency_unmet",
                    ),
                ],
            },
        ),
        migrations.RunSQL(migrations.RunSQL.noop, CANCEL_WAITING),
        migrations.AddField(
            "batch",
            "name",
            models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            "batch", "is_workflow", models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            "batch", "is_awaited", models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            "batch", "is_open", models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            "batch", "is_cancelled", models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            "batch",
            "on_failure",
            models.CharField(
                choices=[("continue", "Go on"), ("stop", "Stop")],
                db_default="continue",
                default="continue",
                max_length=8,
            ),
        ),
        migrations.AddField("batch", "then_id", models.UUIDField(blank=True, null=True)),
        migrations.AddField(
            "batch",
            "callback_url",
            models.CharField(blank=True, db_default="", default="", max_length=2048),
        ),
        migrations.AddField(
            "batch", "outcome", models.CharField(blank=True, max_length=10, null=True)
        ),
        migrations.AddField("batch", "ended_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddIndex(
            "batch",
            models.Index(
                condition=models.Q(("ended_at", None), ("is_awaited", True)),
                fields=["id"],
                name="batch_unended",
            ),
        ),
        migrations.AddField(
            "task", "is_awaited", models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField("task", "node", models.CharField(blank=True, max_length=100, null=True)),
        migrations.AddField("task", "parent_id", models.UUIDField(blank=True, null=True)),
        migrations.RunSQL(NOTE_ENDS, NO_NOTES),
        migrations.RunSQL(IS_RUNNING, "DROP FUNCTION tasks_is_running(uuid)"),
    ]
