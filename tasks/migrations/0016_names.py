from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """Rename models and fields in Python alone: no table and no column changes."""

    dependencies = [("tasks", "0015_steady_cleaning")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Census", "CachedCount"),
                migrations.AlterModelTable("CachedCount", "tasks_census"),
                migrations.AlterModelOptions("CachedCount", {}),
                migrations.RenameField("CachedCount", "found", "value"),
                migrations.AlterField(
                    "CachedCount", "value", models.JSONField(db_column="found")
                ),
                migrations.RemoveConstraint("Attempt", "attempt_once_per_claim"),
                migrations.RenameField("Attempt", "lease", "claim_number"),
                migrations.AlterField(
                    "Attempt", "claim_number", models.IntegerField(db_column="lease")
                ),
                migrations.AddConstraint(
                    "Attempt",
                    models.UniqueConstraint(
                        fields=["task", "claim_number"], name="attempt_once_per_claim"
                    ),
                ),
                migrations.RemoveConstraint("Task", "task_attempt_bounds"),
                migrations.RenameField("Task", "lease", "claim_number"),
                migrations.AlterField(
                    "Task", "claim_number", models.IntegerField(db_column="lease", default=0)
                ),
                migrations.AddConstraint(
                    "Task",
                    models.CheckConstraint(
                        condition=Q(
                            attempt__gte=0, max_attempts__gte=1, claim_number__gte=F("attempt")
                        ),
                        name="task_attempt_bounds",
                    ),
                ),
            ],
        ),
    ]
