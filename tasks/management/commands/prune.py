"""Delete tasks and alerts that ended longer ago than their retention period."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from tasks import alerts, lifecycle


class Command(BaseCommand):
    help = (
        "Delete tasks that ended longer ago than RETENTION_COMPLETED_DAYS or _FAILED_DAYS, and"
        " alerts that closed longer ago than the latter; 0 keeps them without limit."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = lifecycle.prune()
        alerts.prune()
        self.stdout.write(f"{deleted} task{pluralize(deleted)} deleted")
