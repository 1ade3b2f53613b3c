"""Unprivileged user: runs what root starts, so that nothing stored leads back to root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NAME = "tasks"
# Other daemons run as this one too.
_NOBODY = 65534
_NO_SHELL = "/usr/sbin/nologin"
# The first that is installed and succeeds is used; the second pair is that of busybox.
_CREATE = [
    [["useradd", "--system", "--user-group", "--no-create-home", f"--shell={_NO_SHELL}", NAME]],
    [["addgroup", "-S", NAME], ["adduser", "-S", "-D", "-H", "-s", _NO_SHELL, "-G", NAME, NAME]],
]
_FIRST_DENIED = """
for path in "$@"; do
    [ -r "$path" ] && { [ ! -d "$path" ] || [ -x "$path" ]; } || { printf %s "$path"; exit 1; }
done
"""


class RootRefused(Exception):
    """Root may not start this; the message is a sentence with the remedy."""


@dataclass(frozen=True)
class User:
    """A user with their own group and home."""

    name: str
    uid: int
    gid: int
    home: str

    @classmethod
    def from_entry(cls, entry: pwd.struct_passwd) -> User:
        """Return the user of an entry of the system's list."""
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def current() -> User:
    """Return the user of this process."""
    return _user(os.geteuid())


def owner_of(paths: Iterable[Path]) -> User | None:
    """Return the owner of the first directory that belongs to neither root nor `nobody`."""
    shared = {0, _NOBODY}
    with suppress(KeyError):
        shared.add(pwd.getpwnam("nobody").pw_uid)
    for path in paths:
        with suppress(FileNotFoundError):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid not in shared:
                return _user(status.st_uid)
    return None


def system_user() -> User:
    """Return the system user `tasks`, which is created when there is none. Raises RootRefused."""
    for commands in _CREATE:
        with suppress(KeyError):
            return User.from_entry(pwd.getpwnam(NAME))
        if all(shutil.which(command[0]) for command in commands):
            for command in commands:
                # One that fails leaves no user, which is noticed above or below.
                subprocess.run(command, check=False, capture_output=True)  # noqa: S603
    try:
        return User.from_entry(pwd.getpwnam(NAME))
    except KeyError:
        raise RootRefused(
            f"Nothing here runs as root, and the user {NAME} could not be created to run it. "
            f"Create that user (useradd --system {NAME}), or start as another user."
        ) from None


def give(path: Path, user: User) -> None:
    """Make the user own a file or a directory with all that it holds, following no link.

    Files with several names are left: another name may be that of a file elsewhere.
    """
    with suppress(FileNotFoundError):
        parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _give_entry(path.name, user, parent)
            if stat.S_ISDIR(os.lstat(path.name, dir_fd=parent).st_mode):
                for _, directories, files, descriptor in os.fwalk(path.name, dir_fd=parent):
                    for name in (*directories, *files):
                        _give_entry(name, user, descriptor)
        finally:
            os.close(parent)


def check_access(user: User, paths: Iterable[Path], *, remedy: str) -> None:
    """Check that the user can read files and enter directories. Raises RootRefused."""
    if denied := first_denied(user, paths):
        raise RootRefused(
            f"Nothing here runs as root, and user {user.name} cannot read {denied}. {remedy}. "
            "You can also start as another user."
        )


def first_denied(user: User, paths: Iterable[Path]) -> str:
    """Return the first path that the user cannot read or enter, or an empty text."""
    try:
        checked = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", _FIRST_DENIED, "sh", *map(str, paths)],
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            text=True,
            user=user.uid,
            group=user.gid,
            extra_groups=[],
        )
    except OSError:
        raise _no_switch(user) from None
    return checked.stdout


def become(user: User) -> None:
    """Turn this process from root's into the user's, for good. Raises RootRefused."""
    try:
        os.setgroups([])
        os.setgid(user.gid)
        os.setuid(user.uid)
    except OSError:
        raise _no_switch(user) from None
    os.environ.update(HOME=user.home, USER=user.name, LOGNAME=user.name)


def _user(uid: int) -> User:
    try:
        return User.from_entry(pwd.getpwuid(uid))
    except KeyError:
        # An owner that the system does not list, as in containers.
        return User(str(uid), uid, uid, "/")


def _give_entry(name: str, user: User, directory: int) -> None:
    with suppress(FileNotFoundError):
        status = os.lstat(name, dir_fd=directory)
        is_single = stat.S_ISDIR(status.st_mode) or status.st_nlink == 1
        if is_single and (status.st_uid, status.st_gid) != (user.uid, user.gid):
            os.chown(name, user.uid, user.gid, dir_fd=directory, follow_symlinks=False)


def _no_switch(user: User) -> RootRefused:
    return RootRefused(
        f"Nothing here runs as root, and this root user may not switch to {user.name}. "
        "Start as another user."
    )
