"""Queue failed tasks again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tasks import lifecycle
from tasks.models import Status, Task

CHUNK = 1_000


class Command(BaseCommand):
    help = "Queue failed tasks again, all or those of one kind or queue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kind")
        parser.add_argument("--queue")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {name: options[name] for name in ("kind", "queue") if options[name]}
        failed = Task.objects.filter(status=Status.FAILED, **wanted).order_by("id")
        retried = 0
        while ids := list(failed.values_list("id", flat=True)[:CHUNK]):
            retried += lifecycle.retry_many(ids)
        self.stdout.write(f"{retried} tasks queued again")
