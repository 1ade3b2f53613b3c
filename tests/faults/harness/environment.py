"""Environment of a run: settings for Django, and the mark that its processes carry."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import django

from taskproject.embedded import EmbeddedPostgres

# Every process of a run has this variable in its environment.
MARK = "FAULTS_RUN"


def set_up(directory: Path) -> None:
    """Point this process and its children to a durable server in the run's directory."""
    (directory / "static").mkdir()
    os.environ.update(
        {
            MARK: uuid.uuid4().hex,
            "DATA_DIR": str(directory),
            "DATABASE_URL": EmbeddedPostgres(directory).url(),
            "DJANGO_SETTINGS_MODULE": "taskproject.settings",
            "EXTRA_APPS": "tests.script",
            "SECRET_KEY": "for-faults-only-0123456789-abcdefghij",
            "API_ALLOW_ANONYMOUS": "true",
            "DEBUG": "false",
            "LOG_JSON": "true",
            "LOG_LEVEL": "WARNING",
        }
    )
    django.setup()
