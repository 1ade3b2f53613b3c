"""Check a queue for a monitoring system: one line, and its exit codes."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError

from tasks.error_text import detail_of
from tasks.management.filter_option import FilterOption
from tasks.stats.findings import Level
from tasks.stats.queue_check import Limits, QueueCheck, check_queues
from tasks.whole_number import number_option

_WORDS = {
    Level.OK: "OK",
    Level.WARNING: "WARNING",
    Level.FAILED: "CRITICAL",
    Level.UNKNOWN: "UNKNOWN",
}
_LARGEST = 10**9


class Command(BaseCommand):
    help = (
        "Check one queue, or all: 0 (OK), 1 (a paused queue has due tasks), 2 (a limit is exceeded,"
        " or no worker can run what is due), 3 (it could not be checked)."
    )
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> Any:
        """Return Django's parser; a wrong option is UNKNOWN, where Python's code means CRITICAL."""
        parser = super().create_parser(prog_name, subcommand, **options)
        if parser.called_from_command_line:
            parser.error = self._refuse  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        number = number_option((0, _LARGEST))
        parser.add_argument("--queue", action=FilterOption, help="its name; default: all queues")
        parser.add_argument(
            "--max-age",
            type=number,
            default=60,
            help="seconds for which a due task may wait; default: %(default)s",
        )
        parser.add_argument(
            "--max-failures",
            type=number,
            default=5,
            help="tasks that may fail in an hour; default: %(default)s",
        )
        parser.add_argument(
            "--max-waiting", type=number, help="tasks that may be due; default: no limit"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        limits = Limits(
            age=options["max_age"], failures=options["max_failures"], waiting=options["max_waiting"]
        )
        try:
            result = check_queues(options["queue"], limits)
        except (DatabaseError, InterfaceError) as error:
            text = " ".join(detail_of(error).split())
            result = QueueCheck(level=Level.UNKNOWN, line=f"the database cannot be asked: {text}")
        self._end(result)

    def _refuse(self, message: str) -> NoReturn:
        self._end(QueueCheck(level=Level.UNKNOWN, line=message))

    def _end(self, result: QueueCheck) -> NoReturn:
        self.stdout.write(f"{_WORDS[result.level]}: {result.line}")
        sys.exit(result.level.code)
