"""Embedded PostgreSQL: the server from PyPI, run as a child process, for machines without one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import quote

from taskproject import cluster
from taskproject.cluster import EmbeddedError
from taskproject.unprivileged import User, give
from tasks.supervision.processes import Child, die_with_parent, exec_command

__all__ = ["EmbeddedError", "EmbeddedPostgres"]

PORT = "5432"
# The longest path of a unix socket is 107 bytes on Linux, 103 elsewhere.
LONGEST_SOCKET_PATH = 103
LARGEST_LOG = 10 * 1024 * 1024
STOP_TIMEOUT = 60.0
POLL = 0.02

PARAMETERS: Mapping[str, str] = {
    # Reached through a socket in a directory that only its owner enters, never by network.
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    # The web's threads and the workers' processes grow with the cores.
    "max_connections": str(max(200, 100 + 40 * (os.cpu_count() or 1))),
    # Durable: what was committed is on the disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    # Queries are short: compiling one costs more than it gains.
    "jit": "off",
    # A queue's tables turn over quickly and stay small only when they are cleaned often.
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Statements and details would show people's input.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    """A PostgreSQL server that keeps all its files below one directory.

    Creating the object touches no file. The process that starts the server holds the directory from
    `prepare()` to `release()`; others only read its address.
    """

    def __init__(self, data_dir: Path, *, parameters: Mapping[str, str] | None = None) -> None:
        self.root = data_dir.expanduser().resolve() / "postgres"
        self.cluster = self.root / cluster.MAJOR
        self.log = self.root / "log"
        self._parameters = {**PARAMETERS, **(parameters or {})}
        self._lock: int | None = None

    @property
    def socket_dir(self) -> Path:
        """Return the directory of the socket: a short one elsewhere when ours is too long."""
        inside = self.root / "socket"
        if len(os.fsencode(inside / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:20]
        # Not the TMPDIR of one process: all processes must use the same directory.
        return Path("/tmp", f"tasks-postgres-{name}")  # noqa: S108

    @property
    def not_running(self) -> str:
        """Return the sentence for a command that needs the server while it does not run."""
        return (
            f"The embedded PostgreSQL of {self.root.parent} does not run: start it with `make run`"
            " or `manage.py up`, or set DATABASE_URL."
        )

    def connection_settings(self) -> dict[str, str]:
        """Return the entries of Django's DATABASES with the server's address."""
        return {
            "NAME": cluster.DATABASE,
            "USER": cluster.ROLE,
            "PASSWORD": "",
            "HOST": str(self.socket_dir),
            "PORT": PORT,
        }

    def url(self) -> str:
        """Return the server's URL."""
        where = f"host={quote(str(self.socket_dir), safe='/')}&port={PORT}"
        return f"postgresql://{cluster.ROLE}@/{cluster.DATABASE}?{where}"

    def prepare(self) -> None:
        """Make the server ready to be started. Raises EmbeddedError."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            cluster.make_socket_dir(self.socket_dir)
            self._end_orphan()
            if self.cluster.exists():
                cluster.separate_roles(self.cluster)
            else:
                cluster.create(self.cluster, durable=self._parameters["fsync"] == "on")
            if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
                self.log.replace(self.log.with_suffix(".old"))
            self.log.touch(mode=0o600)
        except OSError as error:
            self.release()
            raise EmbeddedError(
                f"{error.filename or self.root} cannot be written ({error.strerror}): "
                "set DATA_DIR to a directory that this user may write to."
            ) from error
        except EmbeddedError:
            self.release()
            raise

    def give_to(self, user: User) -> None:
        """As root, make the user own all files, with no server on them. Raises EmbeddedError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = self._locked(os.O_RDONLY)
        except EmbeddedError:
            # A running server's files are the user's; `prepare()` reports it after other checks.
            if self.root.stat().st_uid == user.uid:
                return
            raise
        try:
            self._end_orphan()
            if self.socket_dir.parent != self.root:
                with suppress(OSError):
                    self.socket_dir.rmdir()
            give(self.root, user)
        finally:
            os.close(lock)

    def release(self) -> None:
        """Release the directory, after the server has ended."""
        if self._lock is not None:
            if self.socket_dir.parent != self.root:
                with suppress(OSError):
                    self.socket_dir.rmdir()
            os.close(self._lock)
            self._lock = None

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        quoted = str(self.socket_dir).replace('"', '""')
        parameters = {**self._parameters, "unix_socket_directories": f'"{quoted}"'}
        settings = (f"--{name}={value}" for name, value in parameters.items())
        return [str(cluster.binaries() / "postgres"), "-D", str(self.cluster), *settings]

    def child(self, *, tier: int = 0) -> Child:
        """Return the prepared server as a child of a supervisor."""
        return Child(
            "postgres",
            exec_command(self.command(), env=cluster.ENVIRONMENT, cwd=self.cluster),
            tier=tier,
            ready=self.is_ready,
            log=self.log,
            # A fast stop; and when that hangs an immediate one, which the next start recovers from.
            stop_signal=signal.SIGINT,
            kill_signal=signal.SIGQUIT,
            parent_death_signal=signal.SIGINT,
            stop_grace=STOP_TIMEOUT,
        )

    def is_ready(self) -> bool:
        """Return whether the server accepts connections."""
        lines = self._pid_file_lines()
        return len(lines) > 7 and lines[7].strip() == "ready" and self._postmaster() is not None

    def wait_ready(self, process: subprocess.Popen[bytes], *, timeout: float) -> None:
        """Wait until the server accepts connections. Raises EmbeddedError."""
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start: {self.last_log_lines()}")
            time.sleep(POLL)

    def last_log_lines(self, count: int = 5) -> str:
        """Return the last lines of the server's log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return f"{self.log} is empty."

    @contextmanager
    def running(self, *, timeout: float = 60.0) -> Iterator[Self]:
        """Run the server without a supervisor; it ends with the calling thread."""
        self.prepare()
        try:
            process = self.start()
            try:
                self.wait_ready(process, timeout=timeout)
                yield self
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(STOP_TIMEOUT)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGQUIT)
                    process.wait()
        finally:
            self.release()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the prepared server as a child of the calling process."""
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cluster,
                env=cluster.ENVIRONMENT,
                process_group=0,
                preexec_fn=partial(die_with_parent, signal.SIGINT, parent=os.getpid()),
            )

    def _take_lock(self) -> None:
        lock = self._locked(os.O_RDWR)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def _locked(self, access: int) -> int:
        """Return the open lock file; raise EmbeddedError while another process holds it."""
        lock = os.open(self.root / "lock", access | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode() or "?"
            os.close(lock)
            raise EmbeddedError(
                f"Process {holder} already runs PostgreSQL in {self.root}. "
                "Stop that process, or set DATA_DIR to another directory."
            ) from None
        return lock

    def _end_orphan(self) -> None:
        """Stop a server that a killed supervisor left; the lock keeps other processes out."""
        pid = self._postmaster()
        if pid is None:
            # PostgreSQL would not start while another process has the old server's process id.
            if _is_alive(next(iter(self._pid_file_lines()), "")):
                (self.cluster / "postmaster.pid").unlink()
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_TIMEOUT
        while self._postmaster() == pid:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"The PostgreSQL of an earlier run (process {pid}) did not stop in time: "
                    "stop it yourself."
                )
            time.sleep(POLL)

    def _postmaster(self) -> int | None:
        """Return the process id of the server that runs on the cluster now."""
        first = next(iter(self._pid_file_lines()), "")
        if not _is_alive(first):
            return None
        if sys.platform == "linux":
            # PostgreSQL's working directory is its cluster.
            try:
                if Path(f"/proc/{int(first)}/cwd").readlink() != self.cluster:
                    return None
            except OSError:
                return None
        return int(first)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []


def _is_alive(pid: str) -> bool:
    if not pid.strip().isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
