"""Fill the database of DATABASE_URL: `python -m tests.project.filled`."""

from __future__ import annotations

import os

import django
from django.core.management import call_command


def main() -> None:
    """Migrate, and write a task of each status with its job."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    django.setup()
    # Importable only after Django is set up.
    import tasks
    from tasks.models import Status
    from tests.factories import make_task

    call_command("migrate", verbosity=0)
    for status in Status:
        make_task(status)
    tasks.submit("test.script", {"do": "return"}, delay=3600)


if __name__ == "__main__":
    main()
