"""System checks: the database is usable, and procrastinate's triggers do not run for our jobs."""

from __future__ import annotations

from typing import Any, cast

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from tasks.postgres.base import DatabaseWrapper
from tasks.postgres.requirements import unmet_requirements

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


@register(Tags.database)
def database_requirements(databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a database whose encoding, or whose settings behind a pooler, would not do."""
    if "default" not in (databases or ()):
        return []
    database = cast(DatabaseWrapper, connections["default"])
    with database.cursor() as cursor:
        sentences = unmet_requirements(cursor, pooled=database.is_pooled)
    return [Error(sentence, id="tasks.E001") for sentence in sentences]
