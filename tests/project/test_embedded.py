"""Embedded PostgreSQL: durable, private, and able to start after every kind of end."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from taskproject.embedded import EmbeddedError, EmbeddedPostgres
from tests.project.conftest import ROOT, open_directory
from tests.project.waiting import wait_gone
from tests.servers import ServerProcess, postmaster, running
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """Return a server that several tests share."""
    with open_directory() as directory, running(directory) as server:
        yield server


def query(server: EmbeddedPostgres, statement: str) -> object:
    with psycopg.connect(server.url()) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def serving(directory: Path, *flags: str) -> list[str]:
    """Return the command that serves in a process of its own."""
    return [sys.executable, "-m", "tests.serving", *flags, str(directory)]


def test_the_server_is_durable(server: EmbeddedPostgres) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert query(server, f"SHOW {setting}") == "on"


def test_the_server_is_independent_of_the_environment(
    open_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.nonsense")
    monkeypatch.setenv("PGOPTIONS", "")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with running(open_dir) as server:
        assert query(server, "SHOW server_encoding") == "UTF8"
        assert query(server, "SHOW timezone") == "UTC"
        assert query(server, "SELECT upper('éß')") == "Éß"
        provider = "SELECT datlocprovider FROM pg_database WHERE datname = current_database()"
        assert query(server, provider) == "b"


def test_only_the_owner_can_reach_the_server(server: EmbeddedPostgres) -> None:
    assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700
    assert query(server, "SHOW listen_addresses") == ""


def test_the_superuser_is_rejected_and_the_application_is_none(server: EmbeddedPostgres) -> None:
    assert query(server, "SELECT current_setting('is_superuser')") == "off"
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba.conf rejects .*user \"postgres\""):
        psycopg.connect(server.url(), user="postgres")


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/copy'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE FUNCTION run(text) RETURNS int AS 'libc.so.6', 'system' LANGUAGE c",
        "ALTER ROLE tasks SUPERUSER",
    ],
)
def test_the_application_cannot_leave_the_database(
    server: EmbeddedPostgres, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(server, statement)


def test_the_log_of_the_server_contains_no_input(server: EmbeddedPostgres) -> None:
    query(server, "CREATE TABLE t (v text UNIQUE)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        query(server, "INSERT INTO t VALUES ('sesame'), ('sesame')")
    log = server.log.read_text()
    assert "duplicate key value" in log
    assert "sesame" not in log


def test_a_second_start_finds_the_data(open_dir: Path) -> None:
    with running(open_dir) as server:
        query(server, "CREATE TABLE kept AS SELECT 42 AS v")
    with running(open_dir) as server:
        assert query(server, "SELECT v FROM kept") == 42


def test_parameters_can_be_chosen(open_dir: Path) -> None:
    with running(open_dir, parameters={"fsync": "off"}) as server:
        assert query(server, "SHOW fsync") == "off"


def test_reading_the_address_touches_no_file(open_dir: Path) -> None:
    server = EmbeddedPostgres(open_dir / "data")
    assert server.connection_settings()["HOST"] == str(server.socket_dir)
    assert not server.is_ready()
    assert list(open_dir.iterdir()) == []


def test_a_directory_too_deep_for_a_socket_can_be_used(open_dir: Path) -> None:
    deep = open_dir / ("d" * 60) / ('e, "f" ' * 8)
    with running(deep) as server:
        assert server.root not in server.socket_dir.parents
        assert query(server, "SELECT 1") == 1
    assert not server.socket_dir.exists()


def test_a_second_server_on_the_same_directory_is_refused(open_dir: Path) -> None:
    with running(open_dir) as server:
        holder = psutil.Process(postmaster(server)).ppid()
        with pytest.raises(EmbeddedError, match=f"Process {holder} already runs PostgreSQL in"):
            EmbeddedPostgres(open_dir).prepare()
        assert query(server, "SELECT 1") == 1


def test_a_killed_server_starts_again(open_dir: Path) -> None:
    with running(open_dir) as server:
        query(server, "CREATE TABLE kept AS SELECT 42 AS v")
        os.kill(postmaster(server), signal.SIGKILL)
    assert (server.cluster / "postmaster.pid").exists()
    with running(open_dir) as server:
        assert query(server, "SELECT v FROM kept") == 42


def test_a_server_starts_when_another_process_has_its_old_process_id(
    open_dir: Path,
) -> None:
    with running(open_dir) as server:
        pid_file = (server.cluster / "postmaster.pid").read_text()
    stale = pid_file.replace(pid_file.split("\n")[0], str(os.getpid()), 1)
    (server.cluster / "postmaster.pid").write_text(stale)
    with running(open_dir) as server:
        assert query(server, "SELECT 1") == 1


def test_the_server_dies_with_its_parent(open_dir: Path) -> None:
    process = ServerProcess(open_dir)
    process.start()
    pid = process.pid
    process.kill()
    wait_gone([pid])


def test_a_server_left_behind_is_ended_and_replaced(open_dir: Path) -> None:
    output = subprocess.run(
        serving(open_dir, "--orphan"), cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60
    ).stdout
    orphan = int(output)
    with running(open_dir) as server:
        assert postmaster(server) != orphan
        wait_gone([orphan])


def test_a_start_that_was_killed_leaves_no_incomplete_cluster(open_dir: Path) -> None:
    with subprocess.Popen(serving(open_dir), cwd=ROOT, stdin=subprocess.PIPE) as process:
        wait_until(lambda: bool(list(open_dir.glob("postgres/new-*/base"))))
        process.kill()
        process.wait()
    assert not EmbeddedPostgres(open_dir).cluster.exists()
    with running(open_dir) as server:
        assert query(server, "SELECT 1") == 1
    assert not list(open_dir.glob("postgres/new-*"))


def test_the_error_for_an_unwritable_directory_names_the_directory(open_dir: Path) -> None:
    (open_dir / "file").touch()
    with pytest.raises(EmbeddedError, match="file/data/postgres cannot be written"):
        EmbeddedPostgres(open_dir / "file" / "data").prepare()
