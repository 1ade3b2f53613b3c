"""Fixtures of the console's tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tasks.models import Status, Task
from tests.factories import make_attempt, make_task


@pytest.fixture
def console() -> Callable[[User], Client]:
    """Return a maker of browsers that are signed in."""

    def browser_of(user: User) -> Client:
        browser = Client()
        browser.force_login(user)
        return browser

    return browser_of


@pytest.fixture
def tasks(user: User) -> dict[str, Task]:
    """Return a task of every status, and one that waits for its retry."""
    made = {str(status): make_task(status, owner=user) for status in Status}
    made["RETRY"] = make_task(Status.PENDING, attempt=1, error={"type": "ValueError"})
    make_attempt(made["RETRY"])
    return made
