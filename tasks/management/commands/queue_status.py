"""Show the lanes, the statuses, the queues and the workers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand

from tasks import stats

_NOTHING = "–"
# Title, head, rows.
Table = tuple[str, list[str], list[list[str]]]


class Command(BaseCommand):
    help = "Show lanes, statuses, queues and workers, as tables or as JSON."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        document = _document()
        if options["json"]:
            self.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
            return
        for title, head, rows in _tables(document):
            self._table(title, head, rows)

    def _table(self, title: str, head: list[str], rows: list[list[str]]) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(title))
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        for line in (head, *rows):
            cells = (_aligned(cell, width) for cell, width in zip(line, widths, strict=True))
            self.stdout.write(f"  {'  '.join(cells)}".rstrip())
        if not rows:
            self.stdout.write("  none")
        self.stdout.write("")


def _document() -> dict[str, Any]:
    status = stats.queues_status(exact=True)
    return {
        **status.document(),
        "workers": [
            {
                "name": worker.name,
                "state": worker.liveness,
                "queues": worker.queues,
                "concurrency": worker.concurrency,
                "running": worker.processing,
                "processed": worker.processed,
                "failed": worker.failed,
                "last_heartbeat": worker.heartbeat_at,
            }
            for worker in stats.workers()
        ],
        "timestamp": status.now,
    }


def _tables(document: dict[str, Any]) -> list[Table]:
    lanes = [[lane, f"{count:,}"] for lane, count in document["queues"].items()]
    states = [[status, f"{count:,}"] for status, count in document["states"].items()]
    queues = [
        [
            name,
            "paused" if load["paused"] else "open",
            f"{load['pending']:,}",
            f"{load['processing']:,}",
            _NOTHING if load["oldest_age_s"] is None else f"{load['oldest_age_s']:,.1f} s",
        ]
        for name, load in document["by_queue"].items()
    ]
    workers = [
        [
            worker["name"],
            worker["state"],
            f"{worker['running']} / {worker['concurrency']}",
            f"{worker['processed']:,}",
            f"{worker['failed']:,}",
            ", ".join(worker["queues"]) or "all",
        ]
        for worker in document["workers"]
    ]
    return [
        ("Lanes", ["lane", "tasks"], lanes),
        ("Statuses", ["status", "tasks"], states),
        ("Queues", ["queue", "state", "pending", "processing", "oldest due"], queues),
        (
            "Workers",
            ["worker", "state", "claimed / slots", "processed", "failed", "queues"],
            workers,
        ),
    ]


def _aligned(cell: str, width: int) -> str:
    return cell.rjust(width) if cell[:1].isdigit() or cell == _NOTHING else cell.ljust(width)
