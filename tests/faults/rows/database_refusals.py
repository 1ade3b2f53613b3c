"""Database that refuses writes: R32, R33."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg

from tasks.models import Status
from tests.faults.harness.callers import Callers, uncompleted
from tests.faults.harness.ledger import Accepted
from tests.faults.harness.processes import ROOT
from tests.faults.harness.row import Dice, Measured, NotRun, row
from tests.faults.harness.server import Server
from tests.faults.harness.system import System
from tests.waiting import wait_until

VOLUME = "320m"


@row(
    "R32",
    title="the database turns read-only, three times for 20 s (default_transaction_read_only)",
    promise="errors, then work continues",
    target="lost 0, doubled 0",
)
def read_only(system: System, dice: Dice) -> Measured:
    """Make it refuse every write, as a primary that has become a standby does."""
    web = system.web()
    workers = system.workers(processes=2)
    registered_now = workers.registered()
    acknowledged, resumed = 0, []
    with Callers(web.url, system.accepted) as callers:
        for _ in range(3):
            calm = time.monotonic()
            wait_until(lambda at=calm: callers.statuses(since=at)[202] > 100, what="load")
            _set_read_only(system, "on")
            refusing = time.monotonic() + 0.3
            time.sleep(20)
            acknowledged += callers.statuses(since=refusing)[202]
            _set_read_only(system, "off")
            back = time.monotonic()
            done = system.count(Status.COMPLETED)
            wait_until(lambda n=done: system.count(Status.COMPLETED) > n + 20, what="work again")
            resumed.append(time.monotonic() - back)
    system.wait_until_ended(within=60)
    statuses = callers.statuses()
    lost = uncompleted(system)
    replaced = len({*registered_now} - {*workers.registered()})
    others = sum(count for status, count in statuses.items() if status not in (202, 503))
    return Measured(
        f"{statuses[202]} × 202, {statuses[503]} × 503, others {others}; accepted while read-only "
        f"{acknowledged}; lost {lost}, doubled {system.doubled()}; work again "
        f"{max(resumed):.1f} s after; {replaced} worker processes replaced",
        met=not lost and not acknowledged and not others,
    )


def _set_read_only(system: System, value: str) -> None:
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(system.server.url, autocommit=True, options=options) as session:
        session.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        session.execute("SELECT pg_reload_conf()")


@row(
    "R33",
    title="the volume of the database is full",
    promise="no false 202",
    target="accepted and durable differ by 0",
)
def full_volume(system: System, dice: Dice) -> Measured:
    """Fill the small volume of a second server under load, free it, crash it, compare."""
    with _volume(system.directory / "volume") as volume, _server(volume) as server:
        _manage("migrate", "--verbosity=0", DATABASE_URL=server.url)
        web = system.web(DATABASE_URL=server.url)
        # They are registered in that server. One that starts while the volume is full is refused
        # the connection, and exits.
        system.workers(registered=False, DATABASE_URL=server.url)
        wait_until(lambda: _count(server, "FROM tasks_worker") > 0, what="workers are registered")
        ballast = volume / "ballast"
        text = "".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(40_000))
        body = {"kind": "test.script", "input": {"value": text}}
        # Not the harness's file: the harness would look for them in its own database.
        file = Accepted(system.directory / "accepted by the second server")
        with Callers(web.url, file, body=lambda: body) as callers:
            wait_until(lambda: callers.statuses()[202] > 50, what="load")
            _fill(ballast)
            full = time.monotonic()
            wait_until(lambda: callers.statuses(since=full)[503] > 50, within=60, what="full")
            time.sleep(10)
            ballast.unlink()
            if not _is_up(server):
                server.crash()
                server.start()
            back = time.monotonic()
            wait_until(
                lambda: callers.statuses(since=back)[202] > 20, within=60, what="accepted again"
            )
        again = time.monotonic() - back
        server.crash()
        server.start()
        accepted = set(file.ids())
        file.close()
        durable = _ids(server)
        unended: LiteralString = "FROM tasks_task WHERE status IN ('PENDING', 'PROCESSING')"
        wait_until(lambda: not _count(server, unended), within=90, what="all ended")
    statuses = callers.statuses()
    return Measured(
        f"{statuses[202]} × 202, {statuses[503]} × 503, others "
        f"{sum(statuses.values()) - statuses[202] - statuses[503]}; accepted but not durable after "
        f"a crash {len(accepted - durable)}; durable but not accepted {len(durable - accepted)}; "
        f"accepted again {again:.1f} s after",
        met=accepted <= durable,
    )


@contextmanager
def _volume(directory: Path) -> Iterator[Path]:
    """Mount a small file system in memory."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME},mode=755", "none", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        raise NotRun("mounting a small file system is not permitted")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@contextmanager
def _server(volume: Path) -> Iterator[Server]:
    server = Server(volume, parameters={"max_wal_size": "64MB"})
    server.start()
    try:
        yield server
    finally:
        server.crash()


def _manage(*arguments: str, **environment: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)


def _fill(ballast: Path) -> None:
    """Write until nothing more fits."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return


def _is_up(server: Server) -> bool:
    try:
        with psycopg.connect(server.url, connect_timeout=3):
            return True
    except psycopg.OperationalError:
        return False


def _ids(server: Server) -> set[uuid.UUID]:
    with psycopg.connect(server.url) as session:
        return {id for (id,) in session.execute("SELECT id FROM tasks_task").fetchall()}


def _count(server: Server, rows: LiteralString) -> int:
    with psycopg.connect(server.url) as session:
        ((count,),) = session.execute(f"SELECT count(*) {rows}").fetchall()
    return int(count)
