"""Commands of the designs: the worker, and the reset that never runs by itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from tests.documents.later import later
from tests.documents.shapes import AtLeast
from tests.documents.site import Site
from tests.project.conftest import ROOT
from tests.project.running import Up

pytestmark = pytest.mark.xdist_group("documents")

TASK = "curl http://localhost:8000/api/v1/tasks/{task_id}"
NOTHING = {"primary": 0, "retry": 0, "scheduled": 0, "dlq": 0}


def reset(running: Up, *options: str) -> str:
    """Run the command of `docker compose run --rm reset` on the system's database."""
    command = subprocess.run(
        [*entrypoint("reset"), *options],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(running.data_dir), "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return command.stdout


def entrypoint(service: str) -> list[str]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    program, *arguments = compose["services"][service]["entrypoint"]
    assert program == "python"
    return [sys.executable, *arguments]


def test_reset_shows_the_state_and_deletes_nothing(running: Up, site: Site) -> None:
    task_id = later(site, "text.summarize", {"content": "Text to summarize"})
    shown = reset(running)
    assert "tasks PENDING" in shown
    assert "Nothing was deleted" in shown
    site.play(TASK, task_id=task_id).shows(200, AtLeast({"status": "PENDING"}))


def test_reset_with_confirm_deletes_all_tasks_and_reports_it(running: Up, site: Site) -> None:
    task_id = later(site, "text.summarize", {"content": "Text to summarize"})
    shown = reset(running, "--confirm")
    assert "All tasks were deleted" in shown
    assert "0  tasks PENDING" in shown.partition("All tasks were deleted")[2]
    site.play(TASK, task_id=task_id).shows(404, AtLeast({"status": 404}))
    empty = AtLeast({"queues": NOTHING})
    # A schedule may submit a task at this moment.
    site.play_until("curl http://localhost:8000/api/v1/queues/status", 200, empty)


def test_the_reset_service_starts_only_on_request() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert compose["services"]["reset"]["profiles"] == ["tools"]


def test_a_worker_takes_only_the_documented_queues(running: Up, site: Site) -> None:
    queues = "--queues=conversations,webhooks,analytics"
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker", "--processes=1", queues],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(running.data_dir), "DATABASE_URL": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        documented = ["conversations", "webhooks", "analytics"]
        dedicated = AtLeast({"queues": documented, "state": "alive"})
        both = AtLeast({"workers": [AtLeast({"queues": []}), dedicated]})
        site.play_until("curl http://localhost:8000/health/workers", 200, both)
    finally:
        worker.terminate()
        worker.wait(45)
