from __future__ import annotations

from django.db import migrations

# A newer request may stand under other limits, or under none. By a trigger, like all that returns
# permits: it sees one that was given while the statement waited for the task.
RETURN_PERMITS = """
CREATE TRIGGER tasks_return_permits_of_replaced AFTER UPDATE OF input ON tasks_task
    FOR EACH ROW WHEN (old.limit_keys IS NOT NULL)
    EXECUTE FUNCTION tasks_use_permits()
"""


class Migration(migrations.Migration):
    """A waiting task that takes over a newer request gives its permits back."""

    dependencies = [("tasks", "0037_retention_index")]

    operations = [
        migrations.RunSQL(
            RETURN_PERMITS, "DROP TRIGGER tasks_return_permits_of_replaced ON tasks_task"
        ),
    ]
