"""Evaluate the rules of alerts and send what is due: for cron, where no other process runs."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.template.defaultfilters import pluralize

from tasks import alerts
from tasks.alerts.notifications import QUEUE
from tasks.models import Alert, AlertRule, Status, Task
from tasks.worker.overdue_alerts import send_overdue

# Seconds: what a worker or a web server has just evaluated is not evaluated again.
JUST_EVALUATED = 5.0
EXIT_OPEN = 2


class Command(BaseCommand):
    help = (
        "Evaluate the rules of alerts and send the messages that wait. Exit code 0: no alert is"
        " open; 2: alerts are open, one line for each; 1: something could not be checked or sent."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            alerts.evaluate_due(older_than=JUST_EVALUATED)
            while send_overdue(older_than=0):
                pass
            self._report()
        except Error as error:
            cause = type(error.__cause__ or error).__name__
            raise CommandError(f"The database could not be used ({cause}).") from error

    def _report(self) -> None:
        open_alerts = Alert.objects.open().order_by("id")
        for rule_name, sentence in open_alerts.values_list("rule_name", "sentence"):
            self.stdout.write(f"{rule_name}: {sentence}")
        mistakes = [
            f"{rule.name}: {rule.last_error}"
            for rule in AlertRule.objects.filter(enabled=True).exclude(last_error="")
        ]
        unsent = Task.objects.filter(status=Status.PENDING, queue=QUEUE).count()
        if unsent:
            mistakes.append(f"{unsent} message{pluralize(unsent)} not sent yet; another run tries.")
        if mistakes:
            raise CommandError("\n".join(mistakes))
        if open_alerts.exists():
            sys.exit(EXIT_OPEN)
