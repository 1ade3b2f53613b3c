"""Web server and workers that are started by themselves, without `manage.py up`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.db import connection
from pytest_django import DjangoDbBlocker

from tasks.models import Worker
from tasks.startup import CALLBACKS, agrees
from tests.databases import connected_to, database
from tests.project.conftest import ROOT
from tests.project.running import free_port
from tests.waiting import wait_until
from tests.workers import database_url

pytestmark = pytest.mark.xdist_group("starting alone")

SOCKET = ".s.PGSQL.5432"
EMPTY = f"not_migrated_{os.getpid()}"


@pytest.fixture
def not_migrated(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Return the URL of a database without tables."""
    with django_db_blocker.unblock(), database(EMPTY), connected_to(EMPTY):
        yield database_url()


@contextmanager
def web(log: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the web server's own command."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "taskproject.web", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def answer(port: int, path: str) -> requests.Response | None:
    with suppress(requests.ConnectionError):
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=10)
    return None


def test_a_worker_before_the_migration_ends_with_a_sentence(not_migrated: str) -> None:
    process = subprocess.run(
        [sys.executable, "manage.py", "worker", "--processes=1"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": not_migrated},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 1
    assert process.stderr == (
        "CommandError: The database lacks migrations of this version: run manage.py migrate.\n"
    )


@contextmanager
def worker_without_database(directory: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a worker that looks for the database's socket in a directory; yield it and its log."""
    url = database_url().replace(connection.settings_dict["HOST"], str(directory))
    log = directory / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "worker", "--processes=1"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            stdout=output,
            stderr=output,
            text=True,
        )
    try:
        wait_until(lambda: "the database cannot be reached" in log.read_text(), what="it tries")
        yield process, log
    finally:
        process.terminate()
        process.wait(30)
    assert "Traceback" not in log.read_text()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_own", [True, False])
def test_a_worker_that_starts_before_the_database_is_checked_when_that_answers(
    is_own: bool, tmp_path: Path
) -> None:
    agrees(CALLBACKS, settings.CALLBACK_SECRETS if is_own else ["another"])
    with worker_without_database(tmp_path) as (process, log):
        (tmp_path / SOCKET).symlink_to(Path(connection.settings_dict["HOST"]) / SOCKET)
        if is_own:
            wait_until(Worker.objects.exists, what="it works")
        else:
            assert process.wait(40) == 1
            assert "CommandError: Callbacks are signed with another secret" in log.read_text()
            assert not Worker.objects.exists()


@pytest.mark.django_db
def test_ctrl_c_ends_a_worker_that_waits_for_the_database(tmp_path: Path) -> None:
    with worker_without_database(tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT


def test_a_web_server_before_the_migration_is_not_ready_and_says_so(
    not_migrated: str, tmp_path: Path
) -> None:
    port = free_port()
    with web(tmp_path / "log", DATABASE_URL=not_migrated, PORT=str(port)):
        wait_until(lambda: answer(port, "/health/live"), what="an answer")
        ready, health = answer(port, "/health/ready"), answer(port, "/health")
    assert ready is not None
    assert health is not None
    assert (ready.status_code, ready.json()["migrations"]) == (503, "missing")
    assert (health.status_code, health.json()["database"]) == (503, "unusable")
    assert "run manage.py migrate" in (tmp_path / "log").read_text()


def test_a_web_server_does_not_share_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as other:
        # As granian does: the kernel would give each of the two servers half of the requests.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with web(tmp_path / "log", PORT=str(port)) as process:
            assert process.wait(60) == 1
    assert (tmp_path / "log").read_text() == (
        f"Port {port} on 127.0.0.1 is in use: choose another with PORT=…\n"
    )


@pytest.mark.django_db(transaction=True)
def test_a_web_server_takes_over_the_port_of_another_on_request(tmp_path: Path) -> None:
    environment = {"PORT": str(free_port()), "DATABASE_URL": database_url()}
    port = int(environment["PORT"])
    with web(tmp_path / "old", **environment) as old:
        wait_until(lambda: answer(port, "/health/live"), what="the old one answers")
        with web(tmp_path / "new", "--take-over", **environment) as new:
            listening = f":{port:04X} "
            wait_until(lambda: listeners(listening) > CORES, what="the new one listens")
            old.terminate()
            old.wait(30)
            response = answer(port, "/health/live")
            assert response is not None
            assert response.status_code == 200
            assert new.poll() is None


CORES = os.cpu_count() or 1


def listeners(address: str) -> int:
    """Return how many sockets listen on a port."""
    rows = Path("/proc/net/tcp").read_text().splitlines()
    return sum(address in row and " 0A " in row for row in rows)
