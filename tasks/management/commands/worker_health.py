"""Tell whether this machine's workers are alive, for a container's health check."""

from __future__ import annotations

import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tasks.models import Worker


class Command(BaseCommand):
    help = "Fail unless a worker process of this host renewed its lease in time."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        host = socket.gethostname()
        alive = Worker.objects.alive().filter(host=host).count()
        if not alive:
            raise CommandError(f"No worker on {host} is alive.")
        self.stdout.write(f"{alive} alive on {host}")
