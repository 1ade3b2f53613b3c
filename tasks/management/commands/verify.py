"""Check that nothing is lost: the invariants of all stored rows, by reading alone."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from tasks import invariants
from tasks.invariants import Report

VIOLATED, NOT_CHECKED = 1, 2


class Command(BaseCommand):
    help = (
        "Check that nothing is lost, by reading alone; one worker does it hourly. Exit code 0:"
        " every invariant holds; 1: one does not; 2: could not check."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = invariants.verify(wait=self._wait)
        except invariants.NotChecked as error:
            raise CommandError(f"Could not check: {error}", returncode=NOT_CHECKED) from error
        assert report is not None
        self._print(report)
        self._store(report)
        if report.findings:
            count = len(report.findings)
            raise CommandError(f"Invariants that do not hold: {count}.", returncode=VIOLATED)
        if report.unchecked:
            raise CommandError("Not every invariant could be checked.", returncode=NOT_CHECKED)

    def _wait(self, seconds: float) -> None:
        self.stdout.write(
            f"An invariant does not hold now; a second look in {seconds:.0f} s shows whether that"
            " lasts."
        )
        time.sleep(seconds)

    def _print(self, report: Report) -> None:
        for finding in report.findings:
            self.stdout.write(self.style.ERROR(finding.invariant.name))
            self.stdout.write(f"  {finding.sentence}")
            self.stdout.write(f"  What to do: {finding.invariant.remedy}")
        for name, reason in report.unchecked.items():
            self.stdout.write(self.style.WARNING(name))
            self.stdout.write(f"  Could not be checked: {reason}")
        held = len(invariants.INVARIANTS) - len(
            {finding.invariant.name for finding in report.findings} | report.unchecked.keys()
        )
        of = len(invariants.INVARIANTS)
        self.stdout.write(f"{held} of {of} invariants hold; read in {report.seconds:.1f} s.")

    def _store(self, report: Report) -> None:
        """Store the report for console and metrics; a standby refuses it, but can be checked."""
        try:
            invariants.store_report(report)
        except Error as error:
            self.stderr.write(f"The result was not stored: {str(error).strip()}")
