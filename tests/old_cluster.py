"""A cluster as version 1.0 made it: the application's role is the superuser."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from taskproject import cluster
from taskproject.embedded import EmbeddedPostgres


@contextmanager
def running_old_cluster(server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """Create the cluster below the server's directory, and run it as it is."""
    _create(server)
    cluster.make_socket_dir(server.socket_dir)
    process = server.start()
    try:
        server.wait_ready(process, timeout=60)
        yield server
    finally:
        process.terminate()
        process.wait()


def _create(server: EmbeddedPostgres) -> None:
    server.root.mkdir(parents=True, exist_ok=True)
    options = [option for option in cluster.INITDB if not option.startswith("--username")]
    command = [str(cluster.binaries() / "initdb"), "-D", str(server.cluster)]
    subprocess.run(
        [*command, f"--username={cluster.ROLE}", *options],
        check=True,
        capture_output=True,
        env=cluster.ENVIRONMENT,
    )
    statement = f"CREATE DATABASE {cluster.DATABASE}"
    cluster.run_single_user(server.cluster, "template1", [statement])
