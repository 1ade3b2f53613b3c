"""Run ours and the peers side by side: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cluster import running_cluster
from benchmarks.comparison import compare
from benchmarks.errors import BenchmarkError
from benchmarks.report import save, table
from benchmarks.systems.celery_redis.system import CeleryRedis
from benchmarks.systems.ours.system import Ours
from benchmarks.systems.system import System

IDLE_LOAD = 0.5
OURS = Ours()
ROWS: dict[str, tuple[System, ...]] = {"life": (OURS, CeleryRedis())}


def main() -> int:
    """Compare, print the table, keep the figures."""
    options = _options()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    load = os.getloadavg()[0]
    if load > IDLE_LOAD:
        _tell(f"load average {load:.1f} before the start: other work makes the figures unreliable")
    skipped = {one.name: why for one in ROWS[options.row] if (why := one.missing())}
    for name, why in skipped.items():
        _tell(f"skipped: {name}: {why}")
    systems = [one for one in ROWS[options.row] if one.name not in skipped]
    with TemporaryDirectory(prefix="benchmark-") as scratch:
        try:
            with running_cluster(Path(scratch)) as cluster:
                postgres = cluster.version()
                runs = compare(
                    systems, cluster, tasks=options.tasks, repeat=options.repeat, tell=_tell
                )
        except BenchmarkError as error:
            _tell(f"The benchmark failed: {error}")
            return 1
    saved = save(
        runs, row=options.row, ours=OURS.name, postgres=postgres, load=load, skipped=skipped
    )
    sys.stdout.write(f"{table(runs, ours=OURS.name)}\n")
    _tell(f"written to {saved}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--row", choices=ROWS, default="life", help="what to measure")
    parser.add_argument("--tasks", type=_count, help="tasks a run (default: each system's own)")
    parser.add_argument("--repeat", type=_count, default=3, help="runs of each system")
    return parser.parse_args()


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _stop(number: int, _frame: object) -> None:
    # An exit like any other: every child is ended on the way out.
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
