"""Rescue the tasks of dead workers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from tasks import lifecycle
from tasks.metrics.flusher import flush


class Command(BaseCommand):
    help = "Queue the tasks of dead workers again; workers do it by themselves every few seconds."

    def handle(self, *args: Any, **options: Any) -> None:
        rescued = lifecycle.rescue()
        flush()
        self.stdout.write(f"{rescued} task{pluralize(rescued)} rescued")
