"""Clients that stall, and clients that send without end: S19 and S20."""

from __future__ import annotations

import math
import selectors
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import requests

from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System, Web
from tests.routes import all_paths
from tests.waiting import wait_until

CONNECTIONS = 200
DEADLINE = 5
PROBES_PER_SECOND = 20
LONGEST_PROBE = 0.050
GIGABYTE = 10**9
MEBIBYTE = 2**20
MOST_GROWTH = 10 * MEBIBYTE
WARM_UP = 10

_POST = "POST /api/v1/tasks/ HTTP/1.1\r\nHost: localhost\r\n"
_FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
_MULTIPART = "Content-Type: multipart/form-data; boundary=x\r\n"
_FILE = '--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
_LENGTH = f"Content-Length: {GIGABYTE}\r\n\r\n"
_CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"

NOT_READ = "answer not read"
DRIPS = "one byte a second"
# What each shape of stalled connection sends, and whether a 408 is due.
STALLED = {
    "no byte": ("", False),
    "headers": (_POST, False),
    "body by length": (f"{_POST}Content-Length: 1000\r\n\r\n{{", True),
    "chunked": (f"{_POST}{_CHUNKED}1\r\n{{\r\n", True),
    "multipart": (f"{_POST}{_MULTIPART}Content-Length: 1000\r\n\r\n{_FILE}", True),
    NOT_READ: ("GET /static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js "
               "HTTP/1.1\r\nHost: localhost\r\n\r\n", False),
}  # fmt: skip


@row(
    "S19",
    title=f"{CONNECTIONS} stalled or slow connections of every shape: no byte, headers, body by "
    "length, chunked, multipart, one byte a second, answer not read",
    promise="others are served",
    target=f"`/health/live` p99 ≤ 50 ms; 408 after at most the time limit ({DEADLINE} s) + 1 s; "
    "answers that are not read end after at most that + 2 s",
    limit=300,
)
def stalled_clients(system: System, dice: Dice) -> Measured:
    """Hold many connections of each shape, one shape after another, while probes run."""
    web = system.web(REQUEST_TIMEOUT=f"{DEADLINE}s")
    figures, slowest, unread, answers = [], 0.0, 0.0, Counter[str]()
    for shape in (*STALLED, DRIPS):
        with Probes(web.url) as probes, ExitStack() as stack:
            text, times_out = STALLED.get(shape, STALLED["body by length"])
            began = time.monotonic()
            held = [stack.enter_context(_opened(web, text.encode())) for _ in range(CONNECTIONS)]
            if shape == NOT_READ:
                unread = _end_of_unread(web, held, began)
            else:
                drips = shape == DRIPS
                ends = _ends(held, began, within=DEADLINE + 4, drips=drips)
                if times_out or drips:
                    slowest = max(slowest, *(seconds for seconds, _ in ends))
                    answers.update(status for _, status in ends)
        figures.append((probes.percentile(99), shape))
    worst, shape = max(figures)
    return Measured(
        f"`/health/live` p99 at most {worst * 1000:.0f} ms ({shape}), p50 "
        f"{statistics.median(seconds for seconds, _ in figures) * 1000:.0f} ms over the shapes' "
        f"p99; 408 after at most {slowest:.1f} s; answers {dict(answers)}; "
        f"answers that were not read ended after {unread:.1f} s",
        met=worst <= LONGEST_PROBE
        and set(answers) == {"408"}
        and slowest <= DEADLINE + 1
        and unread <= DEADLINE + 2,
    )


@row(
    "S20",
    title="1 GB by multipart, form, chunked and JSON to every route, anonymous",
    promise="refused before it is stored",
    target="bytes on disk 0, memory of the web processes + ≤ 10 MiB",
    limit=600,
)
def endless_bodies(system: System, dice: Dice) -> Measured:
    """Send a gigabyte in each encoding to each path, until the server answers."""
    temporary = system.directory / "tmp"
    temporary.mkdir()
    web = system.web(TMPDIR=str(temporary), API_ALLOW_ANONYMOUS="true")
    paths = all_paths()
    if system.quick:
        paths = dice.sample(paths, 8)
    # The memory that one body of the largest allowed size needs is not given back at once.
    for encoding in [*ENCODINGS] * WARM_UP:
        _send_endlessly(web, paths[0], encoding)
    memory, largest_file = _memory(web), 0
    most_memory, sent, answers = memory, 0, Counter[str]()
    for path in paths:
        for encoding in ENCODINGS:
            answer, size = _send_endlessly(web, path, encoding)
            answers[answer] += 1
            sent = max(sent, size)
            most_memory = max(most_memory, _memory(web))
            largest_file = max(largest_file, _bytes_below(temporary))
    growth = most_memory - memory
    return Measured(
        f"{len(paths)} paths × {len(ENCODINGS)} encodings: answers {dict(answers)}; at most "
        f"{largest_file} bytes on disk, memory + {growth / MEBIBYTE:.1f} MiB; the server took at "
        f"most {sent / MEBIBYTE:.0f} MiB of one body",
        met=set(answers) == {"413"} and not largest_file and growth <= MOST_GROWTH,
    )


# The head of a request, and what is sent after it again and again.
ENCODINGS = {
    "multipart": (_MULTIPART + _LENGTH + _FILE, b"x" * 65_536),
    "form": (_FORM + _LENGTH + "f=", b"x" * 65_536),
    "JSON": (_LENGTH + '{"text":"', b"x" * 65_536),
    "chunked JSON": (_CHUNKED, b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "chunked multipart": (_MULTIPART + _CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
}


class Probes:
    """Calls of `/health/live` from a thread, each on a new connection, while the block runs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seconds: list[float] = []

    def __enter__(self) -> Probes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join()

    def percentile(self, percent: int) -> float:
        """Return the time under which so many of the probes were answered."""
        ordered = sorted(self.seconds)
        return ordered[math.ceil(len(ordered) * percent / 100) - 1]

    def _run(self) -> None:
        while not self._is_done.wait(1 / PROBES_PER_SECOND):
            began = time.monotonic()
            try:
                is_answered = requests.get(f"{self._url}/health/live", timeout=10).ok
            except requests.RequestException:
                is_answered = False
            self.seconds.append(time.monotonic() - began if is_answered else math.inf)


@contextmanager
def _opened(web: Web, text: bytes) -> Iterator[socket.socket]:
    address = urlsplit(web.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
        connection.sendall(text)
        yield connection


def _ends(
    held: list[socket.socket], began: float, *, within: float, drips: bool
) -> list[tuple[float, str]]:
    """Return when each connection was answered or closed, and with which status."""
    ends: list[tuple[float, str]] = []
    with selectors.DefaultSelector() as selector:
        for connection in held:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        next_byte = began + 1
        while selector.get_map() and time.monotonic() < began + within:
            for key, _ in selector.select(0.1):
                connection = key.fileobj  # type: ignore[assignment]
                ends.append((time.monotonic() - began, _status(connection)))
                selector.unregister(connection)
            if drips and time.monotonic() > next_byte:
                next_byte += 1
                for key in list(selector.get_map().values()):
                    key.fileobj.send(b"x")
        ends += [(math.inf, "none")] * len(selector.get_map())
    return ends


def _end_of_unread(web: Web, held: list[socket.socket], began: float) -> float:
    """Return when the kernel had closed the last of the connections; their clients do not hear."""
    ports = {connection.getsockname()[1] for connection in held}
    wait_until(
        lambda: not ports & _peers(web),
        within=4 * DEADLINE,
        what="the server has closed the connections",
    )
    return time.monotonic() - began


def _peers(web: Web) -> set[int]:
    """Return the ports of the clients that the server has an open connection to."""
    return {
        connection.raddr.port
        for pid in web.command.descendants()
        for connection in psutil.Process(pid).net_connections(kind="tcp")
        if connection.status == psutil.CONN_ESTABLISHED
    }


def _status(connection: socket.socket) -> str:
    try:
        line = connection.recv(65_536).split(b" ", 2)
    except ConnectionError:
        return "reset"
    return line[1].decode() if len(line) > 1 else "closed"


def _send_endlessly(web: Web, path: str, encoding: str) -> tuple[str, int]:
    """Send a body until the server answers; return the status and the number of bytes sent."""
    head, piece = ENCODINGS[encoding]
    text = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}".encode()
    sent = 0
    with _opened(web, text) as connection, selectors.DefaultSelector() as selector:
        connection.settimeout(30)
        selector.register(connection, selectors.EVENT_READ)
        while sent < GIGABYTE and not selector.select(0):
            try:
                connection.sendall(piece)
            except ConnectionError:
                break
            sent += len(piece)
        return _status(connection), sent


def _memory(web: Web) -> int:
    """Return the resident memory of the server's processes, in bytes."""
    pids = [web.command.pid, *web.command.descendants()]
    return sum(int(psutil.Process(pid).memory_info().rss) for pid in pids)


def _bytes_below(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
