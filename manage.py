#!/usr/bin/env python
"""Run a management command of the project."""

from __future__ import annotations

import os
import signal
import sys

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError

from taskproject.database_errors import sentence_of
from taskproject.embedded import EmbeddedError
from taskproject.root import leave_root
from taskproject.standard_streams import open_closed_streams
from taskproject.unprivileged import RootRefused

if __name__ == "__main__":
    open_closed_streams()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    try:
        leave_root(sys.argv[1:])
        execute_from_command_line(sys.argv)
        if apps.ready:
            from tasks.metrics.flusher import flush

            flush()
    except (ImproperlyConfigured, EmbeddedError, RootRefused) as error:
        sys.exit(str(error))
    except (DatabaseError, InterfaceError) as error:
        if (sentence := sentence_of(error)) is None:
            raise
        sys.exit(sentence)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
