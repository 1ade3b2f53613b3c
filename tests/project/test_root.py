"""Started by root: everything runs as one unprivileged user, or root is refused with a sentence."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from taskproject.unprivileged import NAME, User, give, owner_of
from tests.project.conftest import ROOT
from tests.project.running import free_port, up

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused or become another user"),
    pytest.mark.xdist_group("up"),
]

NOBODY = 65534
COPY = "COPY (SELECT 1) TO PROGRAM 'true'"


def other(name: str = "other", uid: int = 12345) -> User:
    return User(name, uid, uid, "/")


def refused(*command: str, **environment: str) -> str:
    """Return the output of a command that ends with an error."""
    process = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "", "PORT": str(free_port()), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 1
    return process.stderr


def connects(socket_dir: Path, *, uid: int) -> subprocess.CompletedProcess[str]:
    """Let a user of this machine run a program through the server."""
    script = f"""
import os, sys, psycopg
# After the modules are loaded: they may be where only root may read.
os.setgroups([]), os.setgid({uid}), os.setuid({uid})
psycopg.connect(sys.argv[1], autocommit=True).execute(sys.argv[2])
"""
    address = f"postgresql://tasks@/tasks?host={socket_dir}"
    return subprocess.run(
        [sys.executable, "-c", script, address, COPY],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def users_of(pids: list[int]) -> set[tuple[int, ...]]:
    """Return the real, effective and saved user of the processes that still run."""
    users = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            users.add(tuple(psutil.Process(pid).uids()))
    return users


def test_everything_runs_as_one_unprivileged_user(open_dir: Path) -> None:
    data_dir = open_dir / "data"
    with up(data_dir) as running:
        running.wait_until_started()
        user = pwd.getpwnam(NAME)
        assert users_of(running.processes()) == {(user.pw_uid,) * 3}
        assert f"Everything runs as user {NAME}.\n" in running.output
        socket_dir = data_dir / "postgres" / "socket"
        denied = connects(socket_dir, uid=NOBODY)
        assert "Permission denied" in denied.stderr
        own = connects(socket_dir, uid=user.pw_uid)
        assert "permission denied to COPY to or from an external program" in own.stderr
        owners = {path.lstat().st_uid for path in data_dir.rglob("*")}
        assert owners == {user.pw_uid}
        assert running.stop() == 0


def test_data_of_nobody_and_root_is_handed_over(open_dir: Path) -> None:
    data_dir = open_dir / "data"
    with up(data_dir) as first:
        first.wait_until_started()
        task_id = first.submit("to be or not to be")
        assert first.stop() == 0
    for path in [data_dir / "postgres", *(data_dir / "postgres").rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    os.chown(data_dir / "static", 0, 0)
    with up(data_dir) as second:
        second.wait_until_started()
        assert second.task(task_id)["task_id"] == task_id
        assert second.stop() == 0
    assert {path.lstat().st_uid for path in data_dir.rglob("*")} == {pwd.getpwnam(NAME).pw_uid}


def test_the_owner_of_the_data_runs_everything(open_dir: Path) -> None:
    (open_dir / "postgres").mkdir()
    assert owner_of([open_dir / "postgres", open_dir]) is None
    os.chown(open_dir / "postgres", NOBODY, NOBODY)
    assert owner_of([open_dir / "postgres", open_dir]) is None
    os.chown(open_dir, 12345, 12345)
    assert owner_of([open_dir / "postgres", open_dir]) == other("12345")


def test_only_the_files_themselves_are_given(open_dir: Path) -> None:
    data, elsewhere = open_dir / "data", open_dir / "elsewhere"
    data.mkdir()
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (data / "file").touch()
    (data / "link").symlink_to(elsewhere / "file")
    (data / "directory").symlink_to(elsewhere)
    (data / "hard link").hardlink_to(elsewhere / "file")
    give(data, other())
    owners = {path.name: path.lstat().st_uid for path in [data, *data.iterdir()]}
    assert owners == {
        "data": 12345,
        "file": 12345,
        "link": 12345,
        "directory": 12345,
        "hard link": 0,
    }
    assert {elsewhere.stat().st_uid, (elsewhere / "file").stat().st_uid} == {0}
    give(open_dir / "link to data", other())
    (open_dir / "link to data").symlink_to(elsewhere)
    give(open_dir / "link to data", other())
    assert elsewhere.stat().st_uid == 0


def test_a_directory_that_only_root_may_enter_is_refused_and_left(open_dir: Path) -> None:
    open_dir.chmod(0o700)
    sentence = refused("manage.py", "up", DATA_DIR=str(open_dir / "data"))
    assert sentence == (
        f"Nothing here runs as root, and user {NAME} cannot read {open_dir}/data/static. "
        "Set DATA_DIR to a directory that every user may enter, such as one below /srv. "
        "You can also start as another user.\n"
    )
    assert stat.S_IMODE(open_dir.stat().st_mode) == 0o700


def test_a_file_that_only_root_may_read_is_refused(open_dir: Path) -> None:
    file = open_dir / "account.json"
    file.touch(mode=0o600)
    sentence = refused(
        "manage.py", "up", DATA_DIR=str(open_dir), GOOGLE_SERVICE_ACCOUNT_FILE=str(file)
    )
    assert f"user {NAME} cannot read {file}. Let that user read it: chown {NAME} {file}" in sentence


@pytest.mark.parametrize("command", [["manage.py", "worker"], ["-m", "taskproject.web"]])
def test_without_the_embedded_server_its_other_commands_are_refused(
    open_dir: Path, command: list[str]
) -> None:
    sentence = refused(*command, DATA_DIR=str(open_dir))
    assert sentence == (
        f"The embedded PostgreSQL of {open_dir} does not run: start it with `make run` or "
        "`manage.py up`, or set DATABASE_URL.\n"
    )


def test_a_port_below_1024_is_refused(open_dir: Path) -> None:
    assert "Port 80 cannot be used by this user: choose one above 1023" in refused(
        "manage.py", "up", DATA_DIR=str(open_dir / "data"), PORT="80"
    )
