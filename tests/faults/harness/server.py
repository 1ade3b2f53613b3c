"""PostgreSQL server of a run: as durable as in production, and rows may crash it."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from functools import partial

import psutil
import psycopg
from django.core.management import call_command
from django.db import connection

from taskproject import cluster
from taskproject.embedded import EmbeddedPostgres
from tasks.supervision.processes import die_with_parent
from tests.faults.harness import ledger

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class Server:
    """A cluster with a pristine database, of which each row gets a copy."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self.embedded = embedded
        self.url = embedded.url()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, with recovery after a crash; return when it accepts connections."""
        self.embedded.prepare()
        with self.embedded.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.embedded.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.embedded.cluster,
                env=cluster.ENVIRONMENT,
                process_group=0,
                preexec_fn=partial(die_with_parent, signal.SIGQUIT, parent=os.getpid()),
                **cluster.as_user(cluster.server_user(self.embedded.cluster)),
            )
        self.embedded.wait_ready(self._process, timeout=START_SECONDS)

    def crash(self) -> None:
        """End it at once, as `pg_ctl stop -m immediate` does: the next start recovers."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """End it and its sessions with SIGKILL, so that no process can clean up."""
        assert self._process is not None
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
        ledger.create(connection)
        connection.close()
        self._administer("ALTER DATABASE tasks RENAME TO pristine")

    def renew_database(self) -> None:
        """Give the next row a fresh copy of the pristine database."""
        connection.close()
        self._administer("DROP DATABASE IF EXISTS tasks WITH (FORCE)")
        self._administer("CREATE DATABASE tasks TEMPLATE pristine")

    def _administer(self, statement: psycopg.abc.Query) -> None:
        with psycopg.connect(self.url, dbname="template1", autocommit=True) as session:
            session.execute(statement)

    def _end(self, signum: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signum)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        self.embedded.release()
