"""PgBouncer (Debian's) in transaction mode in front of the server of a run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tasks.supervision.processes import die_with_parent
from tests.faults.harness.server import Server
from tests.waiting import wait_until

PROGRAM = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
SETTINGS = """\
[databases]
* = host={host} port=5432

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
logfile = {log}
"""


def is_installed() -> bool:
    """Return whether PgBouncer is installed."""
    return Path(PROGRAM).exists()


def version() -> str:
    """Return the version that PgBouncer prints."""
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


@contextmanager
def pgbouncer(server: Server, directory: Path) -> Iterator[str]:
    """Run a pooler in front of the server; yield the database's URL through it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    host = server.embedded.socket_dir
    log = directory / "pgbouncer.txt"
    file = directory / "pgbouncer.ini"
    # `auth_type = any` accepts every user and connects as the one named here.
    settings = SETTINGS.format(host=f"{host} user=tasks", port=port, log=log)
    file.write_text(settings)
    log.touch()
    # PgBouncer refuses root, too.
    owner = server.embedded.cluster.stat()
    os.chown(log, owner.st_uid, owner.st_gid)
    process = subprocess.Popen(
        [PROGRAM, "--quiet", str(file)],
        stdin=subprocess.DEVNULL,
        process_group=0,
        preexec_fn=partial(die_with_parent, signal.SIGKILL, parent=os.getpid()),
        user=owner.st_uid,
        group=owner.st_gid,
        extra_groups=[] if os.geteuid() == 0 else None,
    )
    url = f"postgresql://tasks@127.0.0.1:{port}{urlsplit(server.url).path}"
    try:
        wait_until(lambda: _answers(url), what=f"pgbouncer answers, {log.read_text()}")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=3, prepare_threshold=None):
            return True
    except psycopg.OperationalError:
        return False
