from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Supervise(Protocol):
    """A starter of supervisors; `streams` are open files in place of pipes."""

    def __call__(self, name: str, **streams: int) -> Supervised: ...


class Supervised:
    """A running supervisor of test children."""

    def __init__(self, name: str, journal: Path, **streams: int) -> None:
        stdout = streams.get("stdout", subprocess.PIPE)
        stderr = streams.get("stderr", subprocess.PIPE)
        self.journal = journal
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.project.supervised", name, str(journal)],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            text=True,
            process_group=0,
            stdout=stdout,
            stderr=stderr,
        )

    def lines(self, name: str, event: str) -> list[list[str]]:
        if not self.journal.exists():
            return []
        return [words for words in self._journal_lines() if words[:2] == [name, event]]

    def pids(self, name: str) -> list[int]:
        return [int(words[2]) for words in self.lines(name, "began")]

    def order(self, event: str) -> list[str]:
        return [words[0] for words in self._journal_lines() if words[1] == event]

    def began(self, name: str, *, times: int = 1) -> int:
        """Wait until a child has been started; return its process id."""
        wait_until(lambda: len(self.pids(name)) >= times)
        return self.pids(name)[-1]

    def stop(self, *, timeout: float = 20.0) -> int:
        self.process.terminate()
        return self.process.wait(timeout)

    def everything(self) -> list[psutil.Process]:
        main = psutil.Process(self.process.pid)
        return [main, *main.children(recursive=True)]

    def _journal_lines(self) -> list[list[str]]:
        return [line.split() for line in self.journal.read_text().splitlines()]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Return a starter of supervisors of test children, which are ended after the test."""
    started: list[Supervised] = []

    def start(name: str, **streams: int) -> Supervised:
        started.append(Supervised(name, tmp_path / f"journal-{len(started)}", **streams))
        return started[-1]

    yield start
    for supervised in started:
        with suppress(psutil.NoSuchProcess):
            for process in supervised.everything():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        supervised.process.wait(10)
        for stream in (supervised.process.stdout, supervised.process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def open_directory() -> Iterator[Path]:
    """Make a directory that PostgreSQL's own user may enter, unlike pytest's."""
    directory = Path(tempfile.mkdtemp(prefix="project-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """Return a directory that PostgreSQL's own user may enter."""
    with open_directory() as directory:
        yield directory
