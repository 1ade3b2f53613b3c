"""Settings of the designs, under their documented names."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.documents.shapes import COUNT, AtLeast, Each
from tests.documents.site import Site
from tests.project.conftest import ROOT
from tests.project.settings_file import settings_of

pytestmark = pytest.mark.xdist_group("documents")

RESOURCES = """
WORKER_REPLICAS=3
CELERY_WORKER_CONCURRENCY=4
WORKER_PREFETCH_MULTIPLIER=1
WORKER_MEMORY_LIMIT=512M
WORKER_MEMORY_RESERVATION=256M
WORKER_MAX_MEMORY_PER_CHILD=200000
WORKER_MAX_TASKS_PER_CHILD=1000
WORKER_CPU_LIMIT=1.0
WORKER_CPU_RESERVATION=0.5
CELERY_TASK_TIME_LIMIT=900
CELERY_TASK_SOFT_TIME_LIMIT=600
OPENROUTER_TIMEOUT=120
WORKER_HEALTH_CHECK_INTERVAL=30s
WORKER_HEALTH_CHECK_TIMEOUT=10s
WORKER_HEALTH_CHECK_RETRIES=3
WORKER_HEALTH_CHECK_START_PERIOD=60s
WORKER_STOP_GRACE_PERIOD=30s
"""
READ_BY_WORKERS = {
    "WORKER_CONCURRENCY": 4,
    "WORKER_PREFETCH_MULTIPLIER": 1,
    "WORKER_MAX_MEMORY_PER_CHILD": 200000,
    "WORKER_MAX_TASKS_PER_CHILD": 1000,
    "TASK_TIME_LIMIT": 900.0,
    "TASK_SOFT_TIME_LIMIT": 600.0,
    "OPENROUTER_TIMEOUT": 120.0,
    "WORKER_STOP_GRACE_PERIOD": 30.0,
}
TASK_CONFIGURATION = """
TASK_SOFT_TIME_LIMIT = 300
TASK_TIME_LIMIT = 600
TASK_MAX_RETRIES = 3
TASK_RETRY_DELAY = 60
"""
PROFILES = {
    "development": """
WORKER_REPLICAS=1
CELERY_WORKER_CONCURRENCY=2
WORKER_MEMORY_LIMIT=256M
WORKER_MEMORY_RESERVATION=128M
WORKER_CPU_LIMIT=0.5
WORKER_CPU_RESERVATION=0.25
WORKER_PREFETCH_MULTIPLIER=1
""",
    "production": """
WORKER_REPLICAS=3
CELERY_WORKER_CONCURRENCY=4
WORKER_MEMORY_LIMIT=512M
WORKER_MEMORY_RESERVATION=256M
WORKER_CPU_LIMIT=1.0
WORKER_CPU_RESERVATION=0.5
WORKER_PREFETCH_MULTIPLIER=1
""",
    "high-throughput": """
WORKER_REPLICAS=5
CELERY_WORKER_CONCURRENCY=8
WORKER_MEMORY_LIMIT=1G
WORKER_MEMORY_RESERVATION=512M
WORKER_CPU_LIMIT=2.0
WORKER_CPU_RESERVATION=1.0
WORKER_PREFETCH_MULTIPLIER=2
""",
    "memory-constrained": """
WORKER_REPLICAS=2
CELERY_WORKER_CONCURRENCY=2
WORKER_MEMORY_LIMIT=256M
WORKER_MEMORY_RESERVATION=128M
WORKER_CPU_LIMIT=1.0
WORKER_CPU_RESERVATION=0.5
WORKER_MAX_MEMORY_PER_CHILD=100000
WORKER_MAX_TASKS_PER_CHILD=500
""",
}


def assignments(text: str) -> dict[str, str]:
    """Return the assignments in a text."""
    return dict(re.findall(r"^([A-Z_]+) ?= ?(.+)$", text, re.MULTILINE))


def settings_from(environment: dict[str, str], names: list[str]) -> dict[str, float]:
    """Return the values of settings in an environment."""
    read = settings_of(environment)
    return {name: read[name] for name in names}


def test_the_resource_configuration_is_read_under_its_documented_names() -> None:
    assert settings_from(assignments(RESOURCES), list(READ_BY_WORKERS)) == READ_BY_WORKERS


def test_the_name_without_celery_wins_if_both_are_set() -> None:
    both = {"CELERY_WORKER_CONCURRENCY": "4", "WORKER_CONCURRENCY": "5"}
    assert settings_from(both, ["WORKER_CONCURRENCY"]) == {"WORKER_CONCURRENCY": 5}


def test_the_task_configuration_is_read() -> None:
    written = assignments(TASK_CONFIGURATION)
    values = {name: float(value) for name, value in written.items()}
    assert settings_from(written, list(written)) == values


def test_the_settings_of_the_containers_are_used_in_the_compose_file() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    names = {name for name in assignments(RESOURCES) if not name.startswith("CELERY_")}
    for name in names - set(READ_BY_WORKERS):
        assert f"${{{name}:-" in compose, name


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_contains_the_documented_settings(name: str) -> None:
    written = assignments(PROFILES[name].replace("CELERY_WORKER", "WORKER"))
    profile = ROOT / "deploy" / "profiles" / f"{name}.env"
    assert assignments(profile.read_text()) == written


def test_an_invalid_value_is_refused_under_the_name_that_was_set() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of({"CELERY_WORKER_CONCURRENCY": "many"})
    assert "CELERY_WORKER_CONCURRENCY='many' is not a whole number" in str(refused.value)


def test_the_running_workers_have_the_documented_concurrency(site: Site) -> None:
    # `running` was started with CELERY_WORKER_CONCURRENCY=4.
    exchange = site.play("curl http://localhost:8000/health/workers")
    shown = exchange.shows(200, AtLeast({"workers": Each(AtLeast({"concurrency": COUNT}))}))
    assert 4 in [worker["concurrency"] for worker in shown["workers"]]
