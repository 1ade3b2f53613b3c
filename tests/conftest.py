"""Fixtures that every folder of tests shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_django
from django.contrib.auth.models import Permission, User
from django.db import connection
from rest_framework.test import APIClient

from tasks.models import Schedule
from tests import workers
from tests.workers import WorkerCommand


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> None:
    """Delete the daily schedules: a worker that runs at their time of day would add their tasks."""
    with django_db_blocker.unblock():
        Schedule.objects.all().delete()


@pytest.fixture(autouse=True)
def _empty_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty procrastinate's tables after a test that commits: they are not Django's to flush."""
    yield
    marker = request.node.get_closest_marker("django_db")
    if marker and (marker.kwargs.get("transaction") or "live_server" in request.fixturenames):
        request.getfixturevalue("django_db_blocker")
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


@pytest.fixture
def api() -> APIClient:
    """Return a client without a key."""
    return APIClient()


@pytest.fixture
def api_for() -> Callable[[User], APIClient]:
    """Return a maker of clients that act for a user."""

    def client_of(user: User) -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    return client_of


@pytest.fixture
def user(db: None) -> User:
    """Return an end user."""
    return User.objects.create_user("alice", password="alice")


@pytest.fixture
def stranger(db: None) -> User:
    """Return an end user who owns nothing of alice's."""
    return User.objects.create_user("mallory", password="mallory")


@pytest.fixture
def viewer(db: None) -> User:
    """Return staff who may look but not act."""
    return _staff("viewer", "view_task", "view_worker", "view_queue", "view_batch", "view_attempt")


@pytest.fixture
def operator(db: None) -> User:
    """Return staff who may act."""
    return _staff(
        "operator",
        "view_task", "operate_task", "view_worker", "view_queue", "view_batch", "view_attempt",
    )  # fmt: skip


def _staff(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name, password=name, is_staff=True)
    granted = Permission.objects.filter(content_type__app_label="tasks", codename__in=permissions)
    user.user_permissions.set(granted)
    return user


@pytest.fixture
def run_tasks(transactional_db: None) -> Callable[..., None]:
    """Return a function that runs all tasks to their end in a worker of its own."""
    return workers.run_until_idle


@pytest.fixture
def worker(transactional_db: None) -> Iterator[Callable[..., WorkerCommand]]:
    """Return a starter of real `manage.py worker` commands, ended after the test."""
    started: list[WorkerCommand] = []

    def start(**options: Any) -> WorkerCommand:
        command = WorkerCommand(**options)
        started.append(command)
        command.wait_until_registered()
        return command

    yield start
    for command in started:
        command.end()
