from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.documents.site import Site
from tests.project.conftest import open_directory
from tests.project.running import Up, up


@pytest.fixture(scope="session")
def running() -> Iterator[Up]:
    """Run the whole system as `make run` does, with settings named as in the documents."""
    with (
        open_directory() as directory,
        up(
            directory / "data",
            CELERY_WORKER_CONCURRENCY="4",
            CELERY_TASK_TIME_LIMIT="900",
            CELERY_TASK_SOFT_TIME_LIMIT="600",
        ) as system,
    ):
        system.wait_until_started()
        yield system
        assert system.stop() == 0


@pytest.fixture
def site(running: Up) -> Iterator[Site]:
    """Return the system as an API client sees it."""
    with Site(f"http://127.0.0.1:{running.port}") as site:
        yield site
