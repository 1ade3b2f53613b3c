"""Fixtures of the console tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tasks.models import Status, Task
from tests.factories import make_attempt, make_task


@pytest.fixture
def console() -> Callable[[User], Client]:
    """Return a function that logs a user in and returns the client."""

    def log_in(user: User) -> Client:
        browser = Client()
        browser.force_login(user)
        return browser

    return log_in


@pytest.fixture
def tasks(user: User) -> dict[str, Task]:
    """Return a task of every status, and one that is pending after a failed attempt."""
    tasks = {str(status): make_task(status, owner=user) for status in Status}
    tasks["RETRY"] = make_task(Status.PENDING, attempt=1, error={"type": "ValueError"})
    make_attempt(tasks["RETRY"])
    return tasks
