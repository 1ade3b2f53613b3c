from __future__ import annotations

from django.db import migrations, models

# When a task counts no longer as unique: whatever statement of whatever version moves it.
FREE_KEYS = """
CREATE FUNCTION tasks_free_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IN ('FAILED', 'CANCELLED')
        OR (NEW.status = 'PROCESSING' AND OLD.unique_while = 'waiting')
        OR (
            NEW.status = 'COMPLETED'
            AND (OLD.unique_until > clock_timestamp()) IS NOT TRUE
        )
    THEN
        NEW.unique_key := NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER tasks_free_key BEFORE UPDATE OF status ON tasks_task
    FOR EACH ROW WHEN (old.unique_key IS NOT NULL AND old.status IS DISTINCT FROM new.status)
    EXECUTE FUNCTION tasks_free_key()
"""


class Migration(migrations.Migration):
    """Tasks can be unique, and expire; tasks of before are and do neither.

    Workers of the version before start tasks that have expired.
    """

    dependencies = [("tasks", "0030_admission")]

    operations = [
        migrations.AddField("task", "unique_key", models.UUIDField(blank=True, null=True)),
        migrations.AddField(
            "task", "unique_while", models.CharField(blank=True, max_length=10, null=True)
        ),
        migrations.AddField("task", "unique_until", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("task", "expires_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunSQL(
            FREE_KEYS,
            "DROP TRIGGER tasks_free_key ON tasks_task; DROP FUNCTION tasks_free_key()",
        ),
    ]
