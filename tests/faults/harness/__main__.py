"""Fault harness: inject faults into a running system, `python -m tests.faults.harness [ROW …]`."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.harness.environment import set_up
from tests.faults.harness.stopping import Stopped, StopRequest


def main() -> int:
    """Run the selected rows; return 1 when one was not met, 128 + the signal when stopped."""
    options = _options()
    stop = StopRequest()
    stop.listen()
    try:
        with TemporaryDirectory(prefix="faults-") as scratch:
            # Under root the server runs as another user, which needs access to the directory.
            Path(scratch).chmod(0o755)
            set_up(Path(scratch))
            failed = _run(options, stop, Path(scratch))
    except Stopped as stopped:
        print(f"stopped by {stopped}: the running row is not reported", flush=True)
        return 128 + stopped.number
    if failed:
        print(f"not met: {' '.join(failed)}; repeat with --seed {options.seed}", flush=True)
    return 1 if failed else 0


def _run(options: argparse.Namespace, stop: StopRequest, directory: Path) -> list[str]:
    """Run and report the rows; return those that were not met."""
    # Importable only after Django is set up.
    from tests.faults.harness import report
    from tests.faults.harness.row import all_rows
    from tests.faults.harness.runner import run_row
    from tests.faults.harness.server import Server

    rows = all_rows()
    if unknown := set(options.rows) - set(rows):
        sys.exit(f"There is no row {', '.join(sorted(unknown))}. Rows: {', '.join(rows)}")
    print(f"seed {options.seed}", flush=True)
    server = Server(directory)
    server.start()
    failed = []
    try:
        server.make_pristine()
        for row in [rows[id] for id in options.rows or rows]:
            print(f"{row.id:<5} runs     {row.title}", flush=True)
            result = run_row(row, server, seed=options.seed, quick=options.quick)
            # The row may have swallowed the stop request: an interrupted run is not reported.
            stop.check()
            print(report.line(result), flush=True)
            report.write(result, seed=options.seed, file=options.report or report.FILE)
            if result.met is False:
                failed.append(row.id)
    finally:
        server.stop()
    return failed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.harness", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which rows (default: all)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--quick", action="store_true", help="shorten rows that take many minutes")
    parser.add_argument("--report", type=Path, help="the file to write (docs/reliability.md)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
