from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """The schedules: what is submitted again and again, by the clock."""

    dependencies = [
        ("tasks", "0006_idempotency"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("kind", models.CharField(max_length=128)),
                ("input", models.JSONField(blank=True, default=dict)),
                ("queue", models.CharField(blank=True, default="", max_length=128)),
                ("cron", models.CharField(max_length=100)),
                ("timezone", models.CharField(default="UTC", max_length=64)),
                ("enabled", models.BooleanField(default=True)),
                ("next_at", models.DateTimeField(blank=True, null=True)),
                ("last_at", models.DateTimeField(blank=True, null=True)),
                ("last_task_id", models.UUIDField(blank=True, null=True)),
                ("last_error", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("name",),
                "constraints": [
                    # A schedule that is on waits for a tick, one that is off for none.
                    models.CheckConstraint(
                        name="schedule_next_while_enabled",
                        condition=Q(enabled=True, next_at__isnull=False)
                        | Q(enabled=False, next_at__isnull=True),
                    ),
                ],
                "indexes": [
                    # The scheduler's look for what is due, in every worker every few seconds.
                    models.Index(
                        condition=Q(enabled=True), fields=["next_at"], name="schedule_next"
                    ),
                ],
            },
        ),
    ]
