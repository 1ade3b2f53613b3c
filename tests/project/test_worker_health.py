"""Worker health: a container's health check succeeds while its workers renew their leases."""

from __future__ import annotations

import datetime as dt
import socket

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tasks.models import Worker

pytestmark = pytest.mark.django_db


def add_worker(*, host: str, silent: float) -> None:
    """Add a worker that renewed its lease so many seconds ago."""
    renewed = timezone.now() - dt.timedelta(seconds=silent)
    Worker.objects.create(
        id=Worker.objects.count() + 1,
        name="worker",
        host=host,
        pid=1,
        concurrency=1,
        started_at=renewed,
        heartbeat_at=renewed,
    )


def test_a_worker_that_renewed_its_lease_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    add_worker(host=socket.gethostname(), silent=1)
    call_command("worker_health")
    assert capsys.readouterr().out == f"1 alive on {socket.gethostname()}\n"


def test_a_worker_that_renewed_no_lease_for_long_is_not_healthy(db: None) -> None:
    add_worker(host=socket.gethostname(), silent=60)
    with pytest.raises(CommandError, match="is alive"):
        call_command("worker_health")


def test_a_worker_of_another_host_is_not_counted(db: None) -> None:
    add_worker(host="elsewhere", silent=1)
    with pytest.raises(CommandError, match="is alive"):
        call_command("worker_health")
