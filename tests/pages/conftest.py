"""Fixtures of the page tests."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def alice(client: Client, user: User) -> Client:
    """Return the client, logged in as the end user."""
    client.force_login(user)
    return client


@pytest.fixture
def csrf_client() -> Client:
    """Return a client that checks CSRF tokens."""
    return Client(enforce_csrf_checks=True)
