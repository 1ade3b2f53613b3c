"""A pytest plugin: the whole run on an embedded PostgreSQL of its own, in a directory of its own.

Loaded with `-p` because Django's settings are read before any conftest. The server is started once,
by the process that the user started; pytest-xdist's workers have a database each in it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from tests.servers import running

IS_XDIST_WORKER = "PYTEST_XDIST_WORKER" in os.environ
# Linux keeps files below it in memory.
MEMORY = Path("/dev/shm")
# Bytes; the tables of a million rows and their log take the most.
SPACE = 4 << 30


def _parent_of_data() -> Path | None:
    """Return a directory in memory, if it has the space; None for that of temporary files.

    On a disk, what these tests write would delay every fsync of the durability tests.
    """
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > SPACE:
        return MEMORY
    return None


if not IS_XDIST_WORKER:
    # Directly under it: a socket's path must be short.
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="tasks-test-", dir=_parent_of_data())
    # Where collected static files would be; whitenoise warns when it is not there.
    (Path(os.environ["DATA_DIR"]) / "static").mkdir()
    os.environ.pop("DATABASE_URL", None)
    # Each of a thousand processes would compile the project again: a third of its start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.update(
        EXTRA_APPS="tests.script",
        SECRET_KEY="for-tests-only-0123456789-abcdefghij",
        API_ALLOW_ANONYMOUS="true",
        DEBUG="false",
        LOG_LEVEL="WARNING",
    )

_running = ExitStack()


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Start the server, and make passwords cheap."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if not IS_XDIST_WORKER:
        # These tests need no durability: the durability tests have a cluster of their own.
        fast = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        _running.enter_context(running(Path(os.environ["DATA_DIR"]), parameters=fast))


def pytest_unconfigure() -> None:
    """Stop the server and delete its directory."""
    if not IS_XDIST_WORKER:
        _running.close()
        shutil.rmtree(os.environ["DATA_DIR"], ignore_errors=True)
