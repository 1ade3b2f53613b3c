"""Do to the system what it must survive: `python -m tests.faults.harness [ROW …]`."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.harness.environment import set_up


def main() -> int:
    """Run the rows asked for; 1 when one was not met."""
    options = _options()
    signal.signal(signal.SIGTERM, _stop)
    with TemporaryDirectory(prefix="faults-") as scratch:
        # Root's server runs as another user, who must be able to get there.
        Path(scratch).chmod(0o755)
        embedded = set_up(Path(scratch))
        # Importable only now that Django knows its settings.
        from tests.faults.harness import report
        from tests.faults.harness.row import all_rows
        from tests.faults.harness.runner import run_row
        from tests.faults.harness.server import Server

        rows = all_rows()
        if unknown := set(options.rows) - set(rows):
            sys.exit(f"There is no row {', '.join(sorted(unknown))}. Rows: {', '.join(rows)}")
        print(f"seed {options.seed}", flush=True)
        server = Server(embedded)
        server.start()
        failed = []
        try:
            server.make_pristine()
            for row in [rows[id] for id in options.rows or rows]:
                result = run_row(row, server, seed=options.seed, quick=options.quick)
                print(report.line(result), flush=True)
                report.write(result, rows, seed=options.seed)
                if result.met is False:
                    failed.append(row.id)
        finally:
            server.stop()
    if failed:
        print(f"not met: {' '.join(failed)}; repeat with --seed {options.seed}", flush=True)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.harness", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which rows (default: all)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--quick", action="store_true", help="shorten what takes many minutes")
    return parser.parse_args()


def _stop(number: int, _frame: object) -> None:
    # An exit like any other: every process is ended on the way out.
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
