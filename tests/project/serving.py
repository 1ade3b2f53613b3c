"""An embedded PostgreSQL held by a process: `python -m tests.project.serving DIRECTORY`.

With `--orphan` it leaves the server running, as a kill does where the kernel ends no children.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from taskproject.cluster import ENVIRONMENT, as_user, server_user
from taskproject.embedded import EmbeddedPostgres


def main() -> None:
    server = EmbeddedPostgres(Path(sys.argv[-1]))
    if "--orphan" not in sys.argv:
        with server.running():
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            signal.pause()
    server.prepare()
    process = subprocess.Popen(
        server.command(),
        cwd=server.cluster,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **as_user(server_user(server.cluster)),
    )
    server.wait_ready(process, timeout=30)
    sys.stdout.write(f"{process.pid}\n")


if __name__ == "__main__":
    main()
