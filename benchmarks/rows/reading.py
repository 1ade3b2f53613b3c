"""Batches and reading (P4, P7): many tasks in one request, and GET of one task."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from statistics import median

from benchmarks import http_load
from benchmarks.bench import Bench
from benchmarks.http_load import Load, load, send, serving
from benchmarks.results import Figure, Row, at_least, at_most
from benchmarks.systems.ours.site import OurSite

BATCH = 1_000
CLIENTS = 2
REQUESTS = 20
SECONDS = 4.0
OURS = OurSite()


def measure(bench: Bench) -> list[Row]:
    """Serve our site, submit batches, then read one task."""
    with (
        bench.template(OURS) as template,
        bench.fresh(OURS, template) as (environment, scratch),
        serving(OURS, environment, scratch) as url,
    ):
        _submit_batches(url, requests=1)
        rates = []
        for _ in range(bench.repeat):
            rates.append(_submit_batches(url, requests=bench.count(REQUESTS)))
            bench.log(f"batches: {rates[-1]:,.0f} tasks/s")
        batches = Row(
            id="P4",
            title=f"Submitting tasks over HTTP, {BATCH:,} in a request",
            unit="tasks/s",
            figures=[Figure(name=OURS.name, runs=rates)],
            checks=[at_least("tasks/s", sorted(rates)[len(rates) // 2], 20_000)],
            notes=[f"{CLIENTS} clients, each sends the next request when the last is answered."],
        )
        if reason := http_load.missing():
            bench.skipped["P7"] = reason
            return [batches]
        return [batches, _reading(bench, url, scratch)]


def _reading(bench: Bench, url: str, scratch: Path) -> Row:
    _, content, _ = send(url + OURS.route, body=OURS.body.encode())
    task = f"{url}/api/v1/tasks/{json.loads(content)['task_id']}"
    _, _, headers = send(task)
    etag = next(value for name, value in headers.items() if name.lower() == "etag")
    load(task, scratch, seconds=1)
    whole, unchanged = [], []
    for _ in range(bench.repeat):
        whole.append(load(task, scratch, seconds=bench.seconds(SECONDS)))
        unchanged.append(load(task, scratch, seconds=bench.seconds(SECONDS), etag=etag))
        bench.log(f"GET: {whole[-1].rate:,.0f} requests/s; 304: {unchanged[-1].rate:,.0f}")
    figures = [
        _figure("GET of one task", whole),
        _figure("the same with If-None-Match: 304", unchanged),
    ]
    ratio = figures[1].median / figures[0].median
    return Row(
        id="P7",
        title="GET of one task",
        unit="requests/s",
        figures=figures,
        checks=[
            at_least("requests/s", figures[0].median, 5_000),
            at_most("p99", figures[0].more["p99 ms"], 15, "ms"),
            at_least("304, times the whole answer", ratio, 1.3),
        ],
    )


def _figure(name: str, loads: list[Load]) -> Figure:
    return Figure(
        name=name,
        runs=[run.rate for run in loads],
        more={"p99 ms": median(run.p99_ms for run in loads)},
    )


def _submit_batches(url: str, *, requests: int) -> float:
    """Submit batches from several clients at once; return tasks a second."""
    task = {"kind": "benchmark.sum", "input": {"numbers": [1, 2, 3]}}
    body = json.dumps([task] * BATCH).encode()
    refused: list[Exception] = []

    def submit() -> None:
        try:
            for _ in range(requests):
                send(f"{url}/api/v1/tasks/batch/", body=body)
        except OSError as error:
            refused.append(error)

    clients = [threading.Thread(target=submit) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if refused:
        raise refused[0]
    return BATCH * requests * CLIENTS / (time.perf_counter() - began)
