"""The PostgreSQL server of a run: durable as in production, and there to be crashed."""

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
    """A cluster of its own, with a pristine database from which each row gets its copy."""

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
        """Start it, recovering if it was crashed; returns when it accepts connections."""
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
        """End it with SIGKILL, its sessions too: no process gets to say a word."""
        assert self._process is not None
        for backend in psutil.Process(self.pid).children():
            with suppress(psutil.NoSuchProcess):
                backend.kill()
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order, its sessions cut off (`-m fast`)."""
        self._end(signal.SIGINT)

    def make_pristine(self) -> None:
        """Migrate a database, with the ledger in it, and keep it as the template of all rows."""
        call_command("migrate", run_syncdb=True, verbosity=0)
        ledger.create(connection)
        connection.close()
        self._administer("ALTER DATABASE tasks RENAME TO pristine")

    def renew_database(self) -> None:
        """Give the next row a database as if nothing had ever run."""
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
