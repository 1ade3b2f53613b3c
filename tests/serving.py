"""An embedded PostgreSQL in a process of its own: `python -m tests.serving DIRECTORY`.

The tests may run as root, which PostgreSQL refuses: this process then becomes an unprivileged user,
as `manage.py up` does. It prints `ready`, and ends with the server or with its standard input.
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
from pathlib import Path

from taskproject import cluster
from taskproject.embedded import EmbeddedError, EmbeddedPostgres
from taskproject.root import hand_over
from taskproject.unprivileged import RootRefused, become
from tests.old_cluster import running_old_cluster
from tests.servers import postmaster

# What tests and benchmarks do beyond the application; and roles that see no sessions but their own.
RIGHTS = [
    "CREATE ROLE plain",
    "CREATE ROLE other LOGIN",
    f"GRANT plain TO {cluster.ROLE}",
    f"ALTER ROLE {cluster.ROLE} CREATEDB",
    f"GRANT pg_checkpoint, pg_read_all_stats TO {cluster.ROLE}",
    f"GRANT SET ON PARAMETER session_replication_role, lc_messages, log_min_duration_statement"
    f" TO {cluster.ROLE}",
    f"GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only TO {cluster.ROLE}",
    f"GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {cluster.ROLE}",
]


def main() -> None:
    """Serve until standard input or the server ends."""
    options = _options()
    cluster.ENVIRONMENT.update(options.environment)
    server = EmbeddedPostgres(options.directory, parameters=dict(options.parameter))
    try:
        if os.geteuid() == 0:
            become(hand_over(options.directory, server, starts_server=True))
        if not options.old and not server.cluster.exists():
            server.prepare()
            cluster.run_single_user(server.cluster, cluster.DATABASE, RIGHTS)
            server.release()
        if options.orphan:
            _print(str(_orphan(server)))
            return
        with running_old_cluster(server) if options.old else server.running() as running:
            _print("ready")
            pid = postmaster(running)
            while not select.select([sys.stdin], [], [], 0.5)[0] and not _has_ended(pid):
                pass
    except (EmbeddedError, RootRefused) as error:
        sys.exit(str(error))


def _orphan(server: EmbeddedPostgres) -> int:
    """Leave a server running, as a kill does where the kernel ends no children."""
    server.prepare()
    process = subprocess.Popen(
        server.command(),
        cwd=server.cluster,
        env=cluster.ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    server.wait_ready(process, timeout=30)
    return process.pid


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--parameter", action="append", type=_assignment, default=[])
    parser.add_argument("--environment", action="append", type=_assignment, default=[])
    parser.add_argument("--orphan", action="store_true")
    parser.add_argument("--old", action="store_true")
    return parser.parse_args()


def _assignment(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
