"""System checks: procrastinate's triggers must not run for our jobs."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

# The tag of what the commands that start something check; nothing of it asks the database.
SETTINGS = "settings"

# Row triggers and foreign keys that run for each of our jobs; the abort trigger never does.
_COSTLY = """
    SELECT tgname FROM pg_trigger
    WHERE tgrelid = to_regclass('procrastinate_jobs')
        AND CASE
            WHEN tgisinternal THEN tgconstrrelid IN (
                to_regclass('procrastinate_events'), to_regclass('procrastinate_periodic_defers')
            )
            ELSE tgtype & 1 = 1
                AND pg_get_triggerdef(oid) NOT LIKE '%task:%'
                AND pg_get_triggerdef(oid) NOT LIKE '%OF abort_requested%'
        END
    ORDER BY tgname
"""


@register(Tags.database)
def procrastinate_triggers(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Warn when an upgrade of procrastinate has restored what migration 0010 removed."""
    if "default" not in (databases or ()):
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'tasks_announce')")
        if not cursor.fetchone()[0]:
            # Migration 0010 has not run yet.
            return []
        cursor.execute(_COSTLY)
        triggers = [name for (name,) in cursor.fetchall()]
    if not triggers:
        return []
    return [
        Warning(
            f"The triggers {', '.join(triggers)} of the library procrastinate run for every job and"
            " slow the queue down: change them as tasks/migrations/0010_job_triggers.py does.",
            hint="An upgrade of procrastinate has created them again.",
            id="tasks.W001",
        )
    ]
