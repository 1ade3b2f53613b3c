"""Worker process of oban-py: `oban start`, with the database of DATABASE_URL."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.execv(
        sys.executable,
        [
            *(sys.executable, "-m", "oban", "start"),
            *("--dsn", os.environ["DATABASE_URL"]),
            *("--queues", f"default:{sys.argv[1]}"),
            *("--cron-modules", "benchmarks.systems.oban.worker"),
            *("--log-level", "WARNING"),
        ],
    )
