"""Child process: runs one attempt after another, each received over a channel."""

from __future__ import annotations

import resource
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from django.db import close_old_connections

from tasks import kinds, tracing
from tasks.counts import Sums, counts
from tasks.kinds.context import Context
from tasks.kinds.exceptions import SoftTimeLimitExceeded
from tasks.lifecycle.ending import Claim, Ending
from tasks.lifecycle.spans import prepare_follow_up
from tasks.worker.attempt import attempt

if TYPE_CHECKING:
    from tasks.tracing.child_spans import PlainSpan

MIB = 1024 * 1024


@dataclass(frozen=True)
class Work:
    """One attempt to run, on behalf of the named worker."""

    claim: Claim
    worker: str


@dataclass(frozen=True)
class Progress:
    """The progress that a handler reported."""

    percent: int
    message: str


@dataclass(frozen=True)
class Done:
    """The attempt is over; there is no ending when the claim was lost."""

    ending: Ending | None
    # What was counted in the child.
    sums: Sums
    # What was recorded in it, where spans are.
    spans: Sequence[PlainSpan]


class ChildContext(Context):
    """A context that sends the handler's progress to the worker."""

    channel: Connection

    def report(self, percent: int, message: str) -> None:
        """Send the progress to the worker, which writes the latest."""
        self.channel.send(Progress(percent, message))


def run_child(channel_socket: socket.socket) -> int:
    """Run the attempts that come over the channel until it is closed: the child's main loop."""
    channel = Connection(channel_socket.detach())
    signal.signal(signal.SIGALRM, _raise_soft_limit)
    tracing.start_in_child()
    while True:
        try:
            work: Work = channel.recv()
        except EOFError:
            return 0
        ending = _run(work, channel)
        spans = () if tracing.recorder is None else tracing.recorder.take()
        channel.send(Done(ending, counts.take(), spans))


def _run(work: Work, channel: Connection) -> Ending | None:
    claim = work.claim
    kind = kinds.get(claim.kind)
    context = ChildContext(
        task_id=claim.id,
        attempt=claim.attempt,
        owner_id=claim.owner_id,
        soft_time_limit=kind.soft_time_limit,
        prepare=prepare_follow_up,
    )
    context.channel = channel
    if kind.memory_limit:
        _limit_memory(kind.memory_limit)
    close_old_connections()
    signal.setitimer(signal.ITIMER_REAL, kind.soft_time_limit)
    try:
        if tracing.recorder is None:
            return attempt(kind, claim, context, worker=work.worker)
        with tracing.recorder.continued(claim.cause):
            return attempt(kind, claim, context, worker=work.worker)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        close_old_connections()


def _raise_soft_limit(signum: int, frame: FrameType | None) -> NoReturn:
    raise SoftTimeLimitExceeded("The attempt ran longer than its soft time limit.")


def _limit_memory(mebibytes: int) -> None:
    """Limit how much the process may grow; an allocation beyond it raises MemoryError."""
    if sys.platform != "linux":
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + mebibytes * MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
