from __future__ import annotations

from django.db import migrations

# A part of the table grows with the history it keeps: what is dead is rows that have moved on, as many
# of them however much is kept.
FORWARD = "SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
BACKWARD = "SET (autovacuum_vacuum_scale_factor = 0.02), RESET (autovacuum_vacuum_threshold)"


class Migration(migrations.Migration):
    """Clean up after the busy tables at a number of dead rows, not at a part of the table."""

    dependencies = [("tasks", "0014_announce_soon")]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} {FORWARD}", f"ALTER TABLE {table} {BACKWARD}")
        for table in ("procrastinate_jobs", "tasks_task")
    ]
