"""The settings of a run: known before Django reads them, and the mark that its processes carry."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import django

from taskproject.embedded import EmbeddedPostgres

# Whoever carries this in its environment belongs to a run of the harness.
MARK = "FAULTS_RUN"


def set_up(directory: Path) -> EmbeddedPostgres:
    """Point this process, and all that it starts, to a durable server of the run's own."""
    server = EmbeddedPostgres(directory)
    (directory / "static").mkdir()
    os.environ.update(
        {
            MARK: uuid.uuid4().hex,
            "DATA_DIR": str(directory),
            "DATABASE_URL": server.url(),
            "DJANGO_SETTINGS_MODULE": "taskproject.settings",
            "EXTRA_APPS": "tests.script",
            "SECRET_KEY": "faults only",
            "API_ALLOW_ANONYMOUS": "true",
            "DEBUG": "false",
            "LOG_JSON": "true",
            "LOG_LEVEL": "WARNING",
        }
    )
    django.setup()
    return server
