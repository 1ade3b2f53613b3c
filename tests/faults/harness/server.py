"""PostgreSQL server of a run: as durable as in production, and rows may crash it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from django.core.management import call_command
from django.db import connection

from tasks.models import Schedule
from tests.faults.harness import ledger
from tests.faults.harness.environment import MARK
from tests.faults.harness.processes import send
from tests.servers import ServerProcess, drop_database
from tests.waiting import wait_until
from tests.workers import is_running

STOP_SECONDS = 30.0


class Server:
    """A cluster with a pristine database, of which each row gets a copy."""

    def __init__(self, directory: Path, *, parameters: Mapping[str, str] | None = None) -> None:
        self._process = ServerProcess(directory, parameters=parameters, unmarked=[MARK])
        self.embedded = self._process.embedded
        self.url = self.embedded.url()

    @property
    def pid(self) -> int:
        """Return the process id of the postmaster."""
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """Return what is added to the server's environment at the next start."""
        return self._process.environment

    def start(self) -> None:
        """Start it, with recovery after a crash; return when it accepts connections."""
        self._process.start()

    def crash(self) -> None:
        """End it at once, as `pg_ctl stop -m immediate` does: the next start recovers."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """End it and its sessions with SIGKILL, so that no process can clean up."""
        for backend in psutil.Process(self.pid).children():
            with suppress(psutil.NoSuchProcess):
                backend.kill()
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Shut it down in order, with its sessions cut off (`-m fast`)."""
        self._end(signal.SIGINT)

    def make_pristine(self) -> None:
        """Migrate a database, add the ledger, and keep it as the template for all rows."""
        call_command("migrate", run_syncdb=True, verbosity=0)
        # At their time of day their tasks would be counted with those of the row.
        Schedule.objects.all().delete()
        ledger.create(connection)
        connection.close()
        with self._administration() as session:
            session.execute("ALTER DATABASE tasks RENAME TO pristine")

    def renew_database(self) -> None:
        """Give the next row a fresh copy of the pristine database."""
        connection.close()
        with self._administration() as session:
            drop_database(session, "tasks")
            session.execute("CREATE DATABASE tasks TEMPLATE pristine")

    def _administration(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, dbname="template1", autocommit=True)

    def _end(self, signum: signal.Signals) -> None:
        with suppress(FileNotFoundError):
            pid = self.pid
            send(pid, signum)
            try:
                wait_until(lambda: not is_running(pid), within=STOP_SECONDS, what="server ended")
            except AssertionError:
                send(pid, signal.SIGQUIT)
        self._process.end()
