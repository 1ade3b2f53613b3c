"""Report whether this machine's workers are alive, for a container's health check."""

from __future__ import annotations

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tasks import stats


class Command(BaseCommand):
    help = "Fail unless a worker process of this host renewed its lease in time."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        host = socket.gethostname()
        alive = stats.workers().filter(host=host).exclude(liveness=stats.Liveness.DEAD).count()
        if not alive:
            raise CommandError(f"No worker on {host} is alive.")
        self.stdout.write(f"{alive} alive on {host}")
