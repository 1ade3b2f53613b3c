"""A cluster as version 1.0 made it: the application's role is the superuser."""

from __future__ import annotations

import subprocess

from taskproject import cluster
from taskproject.embedded import EmbeddedPostgres


def make_old_cluster(server: EmbeddedPostgres) -> None:
    """Create the cluster below the server's directory."""
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
