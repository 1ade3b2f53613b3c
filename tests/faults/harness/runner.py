"""Runner of one row: a fresh system, watched invariants, a time limit and a clean-up."""

from __future__ import annotations

import random
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn

import psutil
import psycopg
from django.db import connection

from tests.faults.harness import invariants
from tests.faults.harness.circumstances import Circumstances, present
from tests.faults.harness.processes import marked
from tests.faults.harness.queries import Queries
from tests.faults.harness.row import Measured, NotRun, Row
from tests.faults.harness.server import Server
from tests.faults.harness.system import System

WATCH_SECONDS = 5.0
# How long ended processes may take to exit.
LEAVE_SECONDS = 5.0
LOG_TAIL = 3_000


@dataclass(frozen=True)
class Result:
    """The result of one run; `met` is None when the row could not run."""

    row: Row
    figure: str
    met: bool | None
    quick: bool
    circumstances: Circumstances


class OutOfTime(BaseException):
    """The row exceeded its limit; a BaseException, so that no row catches it by accident."""


class InvariantWatch(threading.Thread):
    """Checks every few seconds the invariants that must always hold."""

    def __init__(self, url: str) -> None:
        super().__init__(name="watch", daemon=True)
        self.broken: list[str] = []
        self._url = url
        self._stopped = threading.Event()

    def run(self) -> None:
        """Check until stopped or until an invariant is broken."""
        queries = Queries(self._url)
        while not self.broken and not self._stopped.wait(WATCH_SECONDS):
            try:
                self.broken = invariants.broken_now(queries)
            except psycopg.Error:
                # The row may make the database refuse; the check at the end runs in any case.
                queries.close()
        queries.close()

    def stop(self) -> list[str]:
        """Stop; return the broken invariants."""
        self._stopped.set()
        self.join()
        return [f"during the run: {what}" for what in self.broken]


def run_row(row: Row, server: Server, *, seed: int, quick: bool) -> Result:
    """Run a row on a fresh database; its exceptions are reported as its failure."""
    circumstances = present()
    try:
        measured = _run(row, server, seed=seed, quick=quick)
    except NotRun as error:
        return Result(row, f"cannot run here: {error}", None, quick, circumstances)
    except (Exception, OutOfTime) as error:
        traceback.print_exc()
        return Result(row, f"failed: {_first_line(error)}", False, quick, circumstances)
    return Result(row, measured.figure, measured.met, quick, circumstances)


def _run(row: Row, server: Server, *, seed: int, quick: bool) -> Measured:
    server.renew_database()
    with TemporaryDirectory(prefix="faults-row-") as scratch:
        Path(scratch).chmod(0o755)
        system = System(server, Path(scratch), quick=quick)
        watch = InvariantWatch(server.url)
        watch.start()
        try:
            with _bounded(row.limit):
                measured = row.run(system, random.Random(f"{seed} {row.id}"))
                broken = _broken(row, system)
        except BaseException:
            _show_logs(Path(scratch))
            raise
        finally:
            broken_meanwhile = watch.stop()
            connection.close()
            system.end()
    broken += broken_meanwhile + _left_behind()
    if broken:
        return Measured(f"{measured.figure}; BROKEN: {'; '.join(broken)}", met=False)
    return measured


def _broken(row: Row, system: System) -> list[str]:
    if row.ends:
        return invariants.broken_at_the_end(system.queries, system.accepted.ids())
    return invariants.broken_now(system.queries)


def _left_behind() -> list[str]:
    """Kill the processes that outlived the row; return a line for each."""
    _, left = psutil.wait_procs(marked(), timeout=LEAVE_SECONDS)
    lines = [f"I5 a process was left behind: {' '.join(child.cmdline()[:6])}" for child in left]
    for process in left:
        process.kill()
    return lines


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Raise OutOfTime in the main thread after that many seconds."""

    def expire(number: int, frame: FrameType | None) -> NoReturn:
        raise OutOfTime(f"not finished after {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _show_logs(directory: Path) -> None:
    for log in sorted(directory.glob("*.log")):
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-LOG_TAIL:]}", flush=True)


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
