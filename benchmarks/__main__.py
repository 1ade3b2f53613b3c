"""Benchmarks of this project beside its peers: `python -m benchmarks [--row P3] [--quick]`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import machine, report
from benchmarks.bench import Bench
from benchmarks.cluster import running_cluster
from benchmarks.errors import BenchmarkError
from benchmarks.results import Row, as_json
from benchmarks.rows.table import GROUPS, IDS, Group

IDLE_LOAD = 0.5
QUICK_SCALE, QUICK_REPEAT = 0.15, 1


def main() -> int:
    """Measure the selected rows, keep the figures, print the tables."""
    options = _options()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    about, began = machine.describe(), time.monotonic()
    if about["load_before"] > IDLE_LOAD:
        _log(f"load average {about['load_before']} before the start: the figures are unreliable")
    groups = [group for group in GROUPS if set(group.ids) & set(options.row or IDS)]
    with TemporaryDirectory(prefix="benchmark-") as scratch:
        try:
            with running_cluster(Path(scratch)) as cluster:
                about["versions"]["PostgreSQL"] = cluster.version()
                bench = Bench(cluster, options.repeat, options.scale, _log)
                rows = [row for group in groups for row in _measure(bench, group)]
        except BenchmarkError as error:
            _log(f"The benchmark failed: {error}")
            return 1
    missing = [id for id in IDS if id not in {row.id for row in rows}]
    run = {
        **about,
        "complete": not missing and not bench.skipped and options.scale >= 1,
        "missing": missing,
        "repeat": options.repeat,
        "scale": options.scale,
        "seconds": round(time.monotonic() - began),
        "skipped": bench.skipped,
        "rows": [as_json(row) for row in rows],
    }
    kept = report.keep(run)
    sys.stdout.write(report.tables(run))
    _log(f"written to {kept}, after {run['seconds']} s")
    if (len(groups) == len(GROUPS) and options.scale >= 1) or options.document:
        _log(f"written to {report.document(run)}")
    return 0


def _measure(bench: Bench, group: Group) -> list[Row]:
    bench.log(f"--- {', '.join(group.ids)}")
    return group.measure(bench)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--row", choices=IDS, nargs="*", help="rows to measure (default: all)")
    parser.add_argument("--quick", action="store_true", help="do less, and measure once")
    parser.add_argument("--repeat", type=int, help="runs of each system (3; quick: 1)")
    parser.add_argument("--scale", type=float, help="amount of work (1; quick: 0.15)")
    parser.add_argument(
        "--document", action="store_true", help="write docs/performance.md even if it is incomplete"
    )
    options = parser.parse_args()
    options.repeat = options.repeat or (QUICK_REPEAT if options.quick else 3)
    options.scale = options.scale or (QUICK_SCALE if options.quick else 1.0)
    return options


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _stop(number: int, _frame: object) -> None:
    # An exception, so that every child is ended on the way out.
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
