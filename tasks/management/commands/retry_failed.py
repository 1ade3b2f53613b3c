"""Queue failed tasks again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from tasks import lifecycle
from tasks.management.filter_option import FilterOption
from tasks.metrics.flusher import flush
from tasks.models import Status, Task


class Command(BaseCommand):
    help = "Queue failed tasks again, all or those of one kind or queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kind", action=FilterOption)
        parser.add_argument("--queue", action=FilterOption)

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = {name: options[name] for name in ("kind", "queue")}
        filters = {name: value for name, value in chosen.items() if value is not None}
        failed = Task.objects.filter(status=Status.FAILED, **filters)
        retried, _ = lifecycle.move_matching(failed, lifecycle.retry_many)
        flush()
        self.stdout.write(f"{retried} task{pluralize(retried)} queued again")
