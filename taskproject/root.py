"""Start by root: hands the files over to an unprivileged user and starts again as that user."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from taskproject import interpreter
from taskproject.embedded import EmbeddedPostgres
from taskproject.unprivileged import (
    RootRefused,
    User,
    become,
    check_access,
    give,
    owner_of,
    system_user,
)

_RUN_TASKS = {"up", "worker", "web"}
_HELP = {"-h", "--help"}


def leave_root(arguments: Sequence[str]) -> None:
    """When root starts tasks or the site, start the command again as an unprivileged user.

    The user is the owner of the data, or the system user `tasks`. Commands that run no task stay
    root's, and so do those of a database elsewhere, whose user the machine's administrator chooses.
    Raises RootRefused or EmbeddedError.
    """
    command = next(iter(arguments), "")
    if os.geteuid() != 0 or command not in _RUN_TASKS or not _HELP.isdisjoint(arguments):
        return
    if command != "up" and settings.EMBEDDED is None:
        return
    data_dir: Path = settings.DATA_DIR
    account = settings.GOOGLE_SERVICE_ACCOUNT_FILE
    files = [settings.BASE_DIR / ".env", *([Path(account)] if account else [])]
    try:
        user = hand_over(data_dir, settings.EMBEDDED, starts_server=command == "up")
        _check(user, data_dir, files)
        interpreter.provide(user)
        become(user)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
    except OSError as error:
        raise RootRefused(
            f"{error.filename or data_dir} cannot be written ({error.strerror}): "
            "set DATA_DIR to a directory that root may change, or start as another user."
        ) from error


def hand_over(data_dir: Path, embedded: EmbeddedPostgres | None, *, starts_server: bool) -> User:
    """Return the user who will run, and own what is stored; of DATA_DIR only what is ours."""
    stored = [data_dir / "postgres", data_dir]
    user = owner_of(stored)
    if user is None and embedded is not None and not starts_server:
        raise RootRefused(embedded.not_running)
    user = user or system_user()
    static = data_dir / "static"
    static.mkdir(mode=0o755, parents=True, exist_ok=True)
    if (status := data_dir.stat()).st_uid != user.uid:
        data_dir.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
    for path in (static, data_dir / "secret_key"):
        give(path, user)
    if embedded is not None and starts_server:
        embedded.give_to(user)
    return user


def _check(user: User, data_dir: Path, files: list[Path]) -> None:
    check_access(
        user,
        [
            settings.BASE_DIR,
            settings.BASE_DIR / "manage.py",
            Path(sys.prefix),
            Path(sysconfig.get_path("purelib")),
        ],
        remedy="Move the project to a directory that every user may enter, such as one below /srv",
    )
    check_access(
        user,
        [data_dir / "static"],
        remedy="Set DATA_DIR to a directory that every user may enter, such as one below /srv",
    )
    check_access(user, [Path.cwd()], remedy="Start in the directory of the project")
    for file in files:
        if file.exists():
            check_access(user, [file], remedy=f"Let that user read it: chown {user.name} {file}")
