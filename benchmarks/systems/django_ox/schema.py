"""Schema of django-ox, and its rows as the other systems' table of tasks."""

from __future__ import annotations

import os

import django
import psycopg
from django.core.management import call_command

VIEW = """
CREATE VIEW task AS
SELECT
    id,
    CASE status WHEN 'SUCCESSFUL' THEN 'COMPLETED' ELSE status END AS status,
    attempts AS attempt,
    args -> 0 AS input,
    return_value AS result,
    enqueued_at AS created_at,
    started_at,
    finished_at
FROM django_ox_oxtask
"""


def main() -> None:
    """Migrate, then create the view."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.systems.django_ox.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute(VIEW)


if __name__ == "__main__":
    main()
