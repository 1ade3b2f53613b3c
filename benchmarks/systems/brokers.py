"""Message brokers of the peers: temporary servers on loopback."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.children import running, wait_until

START_SECONDS = 60.0
# Debian's `rabbitmq-server` changes the user and drops the environment; this one does not.
RABBITMQ = "/usr/lib/rabbitmq/bin/rabbitmq-server"


class Redis:
    """Redis without persistence, its fastest setting; the rows are in Postgres."""

    name = "Redis"

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        if not shutil.which("redis-server"):
            return "redis-server is not installed"
        if not find_spec("celery") or not find_spec("redis"):
            return "celery and redis are not installed (benchmarks/requirements.txt)"
        return None

    @contextmanager
    def running(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Run an empty server on a free port; yield its environment."""
        port, log = free_port(), scratch / "redis.log"
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(scratch)]
        argv += ["--save", "", "--appendonly", "no"]
        with running(argv, environment={}, log=log) as redis:
            wait_until(lambda: listens(port), child=redis, log=log, limit=START_SECONDS, every=0.05)
            yield {"BROKER_URL": f"redis://127.0.0.1:{port}/0"}


class RabbitMQ:
    """RabbitMQ with its own node and port mapper."""

    name = "RabbitMQ"

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        if not Path(RABBITMQ).exists():
            return f"rabbitmq-server is not installed ({RABBITMQ})"
        if not shutil.which("epmd"):
            return "epmd is not installed (it comes with Erlang)"
        return None if find_spec("celery") else "celery is not installed"

    @contextmanager
    def running(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Run an empty server on free ports; yield its environment."""
        port, mapper, log = free_port(), free_port(), scratch / "rabbitmq.log"
        (scratch / "enabled_plugins").write_text("[].\n")
        environment = {
            "HOME": str(scratch),
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"benchmark-{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(scratch / "mnesia"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(scratch),
            "RABBITMQ_CONFIG_FILE": str(scratch / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(scratch / "enabled_plugins"),
            # As its documentation advises for shared cores: idle schedulers sleep.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        with (
            running(["epmd"], environment=environment, log=log),
            running([RABBITMQ], environment=environment, log=log) as rabbit,
        ):
            wait_until(lambda: listens(port), child=rabbit, log=log, limit=START_SECONDS, every=0.1)
            yield {"BROKER_URL": f"amqp://guest:guest@127.0.0.1:{port}//"}


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether a server answers on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
