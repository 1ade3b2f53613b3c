from __future__ import annotations

import datetime as dt

from django.db import migrations

# name, kind, input, hour and minute (UTC) of every day
DEFAULTS = (
    ("Daily performance report", "analytics.performance", {"hours": 24}, (3, 10)),
    ("Daily conversation report", "analytics.conversations", {"days": 7}, (3, 20)),
    ("Daily clean-up", "maintenance.cleanup", {}, (3, 40)),
)


def make_schedules(apps, schema_editor):
    """Create the schedules of a new installation.

    They are created once: later changes and deletions by operators stay.
    """
    schedules = apps.get_model("tasks", "Schedule").objects.using(schema_editor.connection.alias)
    now = dt.datetime.now(dt.UTC)
    for name, kind, input, (hour, minute) in DEFAULTS:
        at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        fields = {
            "kind": kind,
            "input": input,
            "cron": f"{minute} {hour} * * *",
            "next_at": at if at > now else at + dt.timedelta(days=1),
        }
        schedules.get_or_create(name=name, defaults=fields)


class Migration(migrations.Migration):
    dependencies = [
        ("analysis", "0002_conversations"),
        ("tasks", "0007_schedules"),
    ]

    # Reversing the migration keeps them: they may have been changed.
    operations = [migrations.RunPython(make_schedules, migrations.RunPython.noop)]
