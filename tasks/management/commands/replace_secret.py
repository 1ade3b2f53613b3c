"""Make this machine's secrets those that every process on the database must have."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from tasks.startup import record_secrets


class Command(BaseCommand):
    help = (
        "Record the secrets of this machine as the right ones, when the old ones are lost. Others "
        "no longer start, and receivers of callbacks need the new secret."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        record_secrets()
        self.stdout.write("Processes start with these secrets only from now on.")
