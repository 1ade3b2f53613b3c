"""Show how much the engine holds; delete all of it with --confirm."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tasks import lifecycle, stats


class Command(BaseCommand):
    help = "Show how much the engine holds, and delete all of it with --confirm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--confirm", action="store_true", help="Permanently delete all tasks and their history."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._show()
        if not options["confirm"]:
            self.stdout.write("Nothing was deleted. To delete all of it: reset --confirm")
            return
        lifecycle.reset()
        self.stdout.write(self.style.WARNING("All tasks were deleted. Other data that remains:"))
        self._show()

    def _show(self) -> None:
        for status, count in stats.queues_status(exact=True).states.items():
            self.stdout.write(f"{count:>10,}  tasks {status}")
        for name, count in stats.holdings().items():
            self.stdout.write(f"{count:>10,}  {name}")
        for state, count in stats.worker_counts().items():
            self.stdout.write(f"{count:>10,}  workers {state}")
