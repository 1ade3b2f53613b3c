"""Startup: the secrets are the same in all processes on a database."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tasks.models import SecretFingerprint
from tasks.startup import CALLBACKS, NotReady, agrees, check_secrets
from tests.threads import in_threads

pytestmark = pytest.mark.django_db

Machine = Callable[..., None]


@pytest.fixture
def start(settings: Any) -> Machine:
    """Return a function that checks the secrets of a machine as its start does."""

    def check(key: str, *callback_secrets: str) -> None:
        settings.EMBEDDED = None
        settings.SECRET_KEY = key
        settings.CALLBACK_SECRETS = list(callback_secrets) or [key]
        check_secrets()

    return check


def test_machines_with_the_same_secret_start(start: Machine) -> None:
    start("one")
    start("one")


def test_a_machine_with_another_secret_does_not_start(start: Machine) -> None:
    start("one")
    with pytest.raises(NotReady, match=r"set SECRET_KEY .* CALLBACK_SECRET=new,old"):
        start("two")
    start("one")


def test_the_secret_is_rotated_with_both_side_by_side(start: Machine) -> None:
    start("old")
    start("new", "new", "old")
    # Another machine that has not been changed yet.
    start("old")
    start("new", "new", "old")
    start("new", "new")
    with pytest.raises(NotReady):
        start("old")


def test_another_secret_key_with_the_same_callback_secret_is_a_warning(
    start: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    start("one", "shared")
    assert not caplog.records
    start("two", "shared")
    assert "SECRET_KEY is not that of the process that started before" in caplog.text


def test_a_lost_secret_is_replaced_by_a_command(start: Machine) -> None:
    start("lost")
    with pytest.raises(NotReady):
        start("new")
    call_command("replace_secret", stdout=StringIO())
    start("new")
    with pytest.raises(NotReady):
        start("lost")


def test_no_secret_is_stored(start: Machine) -> None:
    start("one", "another")
    stored = list(SecretFingerprint.objects.order_by("name"))
    assert [row.name for row in stored] == ["callbacks", "sessions"]
    fingerprints = [value for row in stored for value in row.fingerprints]
    assert len({*fingerprints}) == 2
    assert all(len(value) == 64 for value in fingerprints)


def test_with_the_embedded_database_the_secret_may_change(settings: Any) -> None:
    assert settings.EMBEDDED is not None
    for key in ("one", "two"):
        settings.SECRET_KEY, settings.CALLBACK_SECRETS = key, [key]
        check_secrets()
    assert not SecretFingerprint.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_machines_that_start_at_once_one_secret_wins() -> None:
    secrets = iter(["one", "two", "three", "four"])
    results = in_threads(4, lambda: agrees(CALLBACKS, [next(secrets)]))
    assert sorted(results) == [False, False, False, True]
