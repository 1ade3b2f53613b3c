"""HTTP load: `wrk` in its own process, or a few requests one after another."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import run, running, wait_until
from benchmarks.errors import BenchmarkError
from benchmarks.systems.brokers import free_port, listens
from benchmarks.systems.system import Site

CONNECTIONS = 16
THREADS = 2
START_SECONDS = 60.0
SCRIPT = Path(__file__).resolve().parent / "wrk.lua"


@dataclass(frozen=True, kw_only=True)
class Load:
    """The measurements of `wrk`."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    """Answers that were neither 2xx nor 3xx."""
    broken: int

    @property
    def rate(self) -> float:
        """Return how many requests were answered a second."""
        return self.requests / self.seconds


def missing() -> str | None:
    """Return what is not installed, or None."""
    return None if shutil.which("wrk") else "wrk is not installed"


def load(
    url: str,
    scratch: Path,
    *,
    seconds: float,
    body: str | None = None,
    etag: str | None = None,
    connections: int = CONNECTIONS,
) -> Load:
    """Send requests over so many connections; raises BenchmarkError for a refusal."""
    environment = {"BENCHMARK_METHOD": "POST" if body else "GET"}
    environment |= {"BENCHMARK_BODY": body} if body else {}
    environment |= {"BENCHMARK_ETAG": etag} if etag else {}
    argv = ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{max(round(seconds), 1)}s"]
    argv += ["--timeout", "10s", "-s", str(SCRIPT), url]
    output = run(argv, environment=environment, log=scratch / "wrk.log", limit=seconds + 60)
    result = Load(**json.loads(output))
    if result.refused or result.broken or not result.requests:
        raise BenchmarkError(f"{url} refused requests or broke connections: {result}")
    return result


@contextmanager
def serving(site: Site, environment: Mapping[str, str], scratch: Path) -> Iterator[str]:
    """Run a site on a free loopback port; yield its URL."""
    port, log = free_port(), scratch / "site.log"
    argv = site.serve(port)
    environment = {**environment, "HOST": "127.0.0.1", "PORT": str(port)}
    with running(argv, environment=environment, log=log) as child:
        wait_until(lambda: listens(port), child=child, log=log, limit=START_SECONDS, every=0.05)
        yield f"http://127.0.0.1:{port}"


def send(
    url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[float, bytes, Mapping[str, str]]:
    """Send one request; return its seconds, and the body and headers of the answer."""
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=body, headers=all_headers)
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
    return time.perf_counter() - began, content, dict(answer.headers)
