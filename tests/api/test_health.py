from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from rest_framework.test import APIClient

from tasks.postgres.migrations import require_migrations
from tests.api.described import described
from tests.factories import make_task, make_worker

pytestmark = pytest.mark.django_db

CHECKS = ["database", "migrations", "writes", "disk", "workers", "queues", "kinds", "invariants"]


@pytest.fixture(autouse=True)
def _migrations_unchecked() -> Iterator[None]:
    require_migrations.cache_clear()
    yield
    require_migrations.cache_clear()


@pytest.fixture
def no_database() -> Iterator[None]:
    """Make every statement fail as it does when the server is gone."""

    def gone(*_: Any) -> None:
        from django.db import OperationalError

        raise OperationalError("the server is gone")

    with connection.execute_wrapper(gone):
        yield


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_system_with_a_worker_is_healthy(api: APIClient, slash: str) -> None:
    make_worker()
    make_worker("test:2", silent_for=60)
    make_task()
    response = api.get(f"/health{slash}")
    assert response.status_code == 200
    document = response.json()
    checks = document.pop("checks")
    assert document == {
        "status": "healthy",
        "database": "ok",
        "queue": {"waiting": 1},
        "workers": {"alive": 1, "draining": 0, "dead": 1},
    }
    assert list(checks) == CHECKS
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert checks["queues"]["message"] == "1 task is due; no queue lacks a worker."


def test_a_system_without_a_worker_is_degraded(api: APIClient) -> None:
    response = api.get("/health")
    assert response.status_code == 200
    document = described(response)
    assert document["status"] == "degraded"
    assert document["checks"]["workers"] == {
        "status": "warning",
        "message": "No worker is alive: tasks are accepted and wait.",
    }


@pytest.mark.usefixtures("no_database")
def test_without_a_database_health_and_readiness_fail_but_liveness_succeeds(api: APIClient) -> None:
    health, ready = api.get("/health"), api.get("/health/ready")
    assert (health.status_code, ready.status_code) == (503, 503)
    assert described(health)["database"] == described(ready)["database"] == "unreachable"
    checks = health.json()["checks"]
    assert checks.pop("database")["status"] == "failed"
    assert list(checks) == CHECKS[1:]
    assert {check["status"] for check in checks.values()} == {"unknown"}
    assert described(api.get("/health/live")) == {"status": "ok"}


def test_a_database_before_its_migration_is_unusable_and_not_unreachable(api: APIClient) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_worker RENAME TO not_yet")
    health = api.get("/health")
    assert health.status_code == 503
    document = described(health)
    assert (document["status"], document["database"]) == ("unhealthy", "unusable")
    assert document["workers"] is None
    assert document["checks"]["workers"]["status"] == "failed"
    assert document["checks"]["writes"]["status"] == "ok"


def test_a_migrated_database_is_ready(api: APIClient) -> None:
    assert described(api.get("/health/ready"))["status"] == "ready"


def test_a_database_that_lacks_migrations_is_not_ready(api: APIClient) -> None:
    MigrationRecorder(connection).migration_qs.filter(app="tasks").delete()
    response = api.get("/health/ready")
    assert response.status_code == 503
    assert described(response)["migrations"] == "missing"


def test_health_needs_no_key_but_workers_do(api: APIClient, settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    for path in ("/health", "/health/live", "/health/ready"):
        assert api.get(path).status_code == 200
    assert api.get("/health/workers").status_code == 401


def test_every_worker_is_shown_with_its_state(api: APIClient) -> None:
    make_worker("test:1")
    dead = make_worker("test:2", silent_for=60)
    draining = make_worker("test:3")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_worker SET state = 'draining' WHERE id = %s", [draining])
    shown = described(api.get("/health/workers"))
    assert shown["circuit_breakers"]["openrouter"]["state"] == "closed"
    states = {worker["name"]: worker["state"] for worker in shown["workers"]}
    assert states == {"test:1": "alive", "test:2": "dead", "test:3": "draining"}
    (silent,) = [worker for worker in shown["workers"] if worker["id"] == dead]
    assert (silent["pid"], silent["host"], silent["concurrency"]) == (1, "test", 4)


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/health/ready/"])
def test_a_probe_may_name_any_host(api: APIClient, settings: Any, path: str) -> None:
    settings.ALLOWED_HOSTS = ["tasks.example.com"]
    for host in ("10.0.0.7:8000", "127.0.0.1", "[fe80::1]:8000", "a_b"):
        assert api.get(path, headers={"host": host}).status_code == 200
    assert api.get("/healthy", headers={"host": "10.0.0.7"}).status_code == 400
    assert api.get("/api/v1/tasks/", headers={"host": "10.0.0.7"}).status_code == 400
