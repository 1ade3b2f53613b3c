"""Health of a database on a full disk: a small file system that is filled and emptied."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tasks.stats.health import check_health
from tests.project.conftest import open_directory
from tests.servers import ServerProcess
from tests.waiting import wait_until

VOLUME = "200m"


@pytest.fixture
def volume() -> Iterator[Path]:
    """Mount a small file system in memory."""
    with open_directory() as directory:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME},mode=755", "none", str(directory)]
        if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("mounting a small file system is not permitted")
        try:
            yield directory
        finally:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture
def on_volume(volume: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Connect to a server on that file system."""
    server = ServerProcess(volume, parameters={"max_wal_size": "64MB"})
    server.start()
    settings = connection.settings_dict
    before = dict(settings)
    connection.close()
    settings.update(server.embedded.connection_settings())
    try:
        with django_db_blocker.unblock():
            yield
    finally:
        connection.close()
        settings.update(before)
        server.kill()


def fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return


def disk() -> tuple[str, str]:
    health = check_health()
    assert health.findings["database"].level == "ok"
    return health.findings["disk"].level, health.findings["disk"].message


def test_a_full_disk_fails_the_check_until_there_is_room(volume: Path, on_volume: None) -> None:
    assert disk()[0] == "ok"
    ballast = volume / "ballast"
    fill(ballast)
    assert disk() == ("failed", "The disk of the database is full: writes fail.")
    assert check_health().status == "unhealthy"
    ballast.unlink()
    wait_until(lambda: disk()[0] == "ok", what="room again")
