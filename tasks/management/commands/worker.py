"""Run workers: a supervising parent and its worker processes."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from tasks import kinds, tracing
from tasks.callbacks import host_limits
from tasks.checks import SETTINGS
from tasks.management.filter_option import FilterOption
from tasks.models import Queue, Status, Task
from tasks.startup import NotReady, wait_to_start
from tasks.submission import QUEUE_NAME
from tasks.supervision.processes import Child
from tasks.supervision.supervisor import Supervisor
from tasks.whole_number import number_option
from tasks.worker.health_server import HealthServer, serve
from tasks.worker.process import run_worker
from tasks.worker.siblings import Siblings

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run worker processes until stopped; a process that dies is replaced."
    requires_system_checks = [SETTINGS]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--processes",
            type=number_option(settings.WORKER_PROCESSES_BOUNDS),
            default=settings.WORKER_PROCESSES,
            help="number of processes; default: %(default)s",
        )
        parser.add_argument(
            "--concurrency",
            type=number_option(settings.WORKER_CONCURRENCY_BOUNDS),
            default=settings.WORKER_CONCURRENCY,
            help="tasks that run at once in each process; default: %(default)s",
        )
        parser.add_argument(
            "--queues",
            action=FilterOption,
            help="queue names, separated by commas; default: all queues",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        processes, concurrency = options["processes"], options["concurrency"]
        named = options["queues"]
        queues = [] if named is None else [name.strip() for name in named.split(",")]
        if invalid := [name for name in queues if not QUEUE_NAME.fullmatch(name)]:
            raise CommandError(f"{invalid[0]!r} is not a valid queue name.")
        try:
            wait_to_start()
        except NotReady as error:
            raise CommandError(str(error)) from error
        _warn_of_unused(queues)
        probes = _probes()
        host_limits.set_capacity(concurrency)
        tracing.load()
        run = partial(
            run_worker,
            queues=queues or None,
            concurrency=concurrency,
            grace=settings.WORKER_STOP_GRACE_PERIOD,
        )
        siblings = Siblings(processes)
        limit = settings.LEASE_SECONDS
        children = [
            Child(
                f"worker-{number + 1}",
                partial(run, member=siblings.member(number)),
                watchdog_timeout=limit,
                leaves_nothing=True,
            )
            for number in range(processes)
        ]
        log.info(
            "worker starts",
            extra={
                "version": settings.VERSION,
                "processes": processes,
                "slots": concurrency,
                "queues": queues or "all",
                "kinds": sorted(kinds.all_kinds()),
                "database": _database(),
            },
        )
        supervisor = Supervisor(
            [*children, *probes], stop_grace=settings.WORKER_STOP_GRACE_PERIOD + 5
        )
        if supervisor.run():
            raise CommandError(supervisor.failure or "")


def _probes() -> list[Child]:
    """Return the process that answers probes, if the settings have a port for it."""
    if not settings.WORKER_HEALTH_PORT:
        return []
    try:
        HealthServer().server_close()
    except OSError as error:
        raise CommandError(
            f"WORKER_HEALTH_PORT={settings.WORKER_HEALTH_PORT} on {settings.HOST} cannot be used:"
            f" {error.strerror}."
        ) from error
    return [Child("worker-health", serve)]


def _warn_of_unused(queues: Sequence[str]) -> None:
    """Warn of queues that seem misspelt: no kind has them, no switch, and no task waits in them."""
    of_kinds = {kind.queue for kind in kinds.all_kinds().values()}
    for name in queues:
        if not (
            name in of_kinds
            or Queue.objects.filter(name=name).exists()
            or Task.objects.filter(status=Status.PENDING, queue=name).exists()
        ):
            log.warning(
                "no kind has this queue and no task waits in it; the worker may never get one",
                extra={"queue": name, "queues_of_kinds": sorted(of_kinds)},
            )
    connection.close()


def _database() -> str:
    """Return where the database is, without the user's password."""
    database = connection.settings_dict
    return f"{database['HOST'] or 'localhost'}:{database['PORT'] or 5432}/{database['NAME']}"
