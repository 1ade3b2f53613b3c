"""Report whether this machine's workers are alive, for a container's health check."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tasks.stats.host_workers import host_workers


class Command(BaseCommand):
    help = "Fail unless there are worker processes on this host, and each renews its lease in time."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        workers = host_workers()
        if not workers.is_healthy:
            raise CommandError(workers.message)
        self.stdout.write(workers.message)
