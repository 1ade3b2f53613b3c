"""Run everything on one machine."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import Any, cast

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from taskproject import web
from taskproject.database_errors import sentence_of
from taskproject.embedded import EmbeddedError, EmbeddedPostgres
from taskproject.preflight import bound_address, check_database, check_directory, check_port
from taskproject.unprivileged import current
from taskproject.welcome import welcome
from tasks.checks import SETTINGS
from tasks.postgres.base import DatabaseWrapper
from tasks.startup import NotReady, check_secrets
from tasks.supervision.processes import Child, exec_command
from tasks.supervision.supervisor import Supervisor

GIVE_UP_AFTER = 3
# The worker command ends its own processes within 5 s of the grace period.
MARGIN = 7.0
HURRIED = 3.0


class Command(BaseCommand):
    help = "Run the database, the web server and the workers, until Ctrl-C."
    requires_system_checks = [SETTINGS]

    def handle(self, *args: Any, **options: Any) -> None:
        # Nothing to clean up yet: until the supervisor runs, Ctrl-C simply ends the process.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        server = settings.EMBEDDED
        try:
            address = bound_address(settings.HOST)
            check_port(address, settings.PORT)
            check_directory(settings.STATIC_ROOT)
            if server is None:
                database = cast(DatabaseWrapper, connection)
                check_database(database.get_connection_params(), pooled=database.is_pooled)
            else:
                server.prepare()
        except (NotReady, EmbeddedError) as error:
            raise CommandError(str(error)) from error
        # An output that is full or closed stops nothing.
        with suppress(OSError):
            self.stdout.write(f"Everything runs as user {current().name}.")
        supervisor = Supervisor(
            [*([server.child()] if server else []), *_children(address)],
            stop_grace=settings.WORKER_STOP_GRACE_PERIOD + MARGIN,
            hurried_grace=HURRIED,
            give_up_after=GIVE_UP_AFTER,
        )
        failed = supervisor.run()
        if server:
            server.release()
        if failed:
            raise CommandError(_explain(str(supervisor.failure), server))


def _explain(failure: str, server: EmbeddedPostgres | None) -> str:
    """Explain why it ended; the database's output is in its log, the others' on the screen."""
    if server and failure.startswith("postgres"):
        return f"Stopped: {failure}. The last lines of {server.log}:\n{server.last_log_lines()}"
    return f"Stopped: {failure}. Its last output is above."


def _children(address: str) -> list[Child]:
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    # This command has run the checks of the settings.
    options = ["--skip-checks", "--processes", str(settings.WORKER_PROCESSES)]
    return [
        Child("migrate", _migrate, tier=1, once=True),
        Child("web", exec_command(web.command(address), cwd=settings.BASE_DIR), tier=2),
        Child("worker", exec_command([*manage, "worker", *options]), tier=2),
        Child("welcome", welcome, tier=3, once=True),
    ]


def _migrate() -> int:
    try:
        call_command("migrate", interactive=False, verbosity=0)
        check_secrets()
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except DatabaseError as error:
        if (sentence := sentence_of(error)) is None:
            raise
        sys.stderr.write(f"{sentence}\n")
        return 1
    return 0
