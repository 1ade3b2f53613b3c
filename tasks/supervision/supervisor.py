"""Supervisor: keeps child processes alive and stops them in order, for `up` and `worker`."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from signal import Signals
from types import FrameType

from tasks.supervision.processes import Child, adopt_orphans, fork, living_children, reaped
from tasks.supervision.watchdog import Watchdog

logger = logging.getLogger(__name__)

# The exit code of a child that requests to be replaced at once.
RECYCLE = 75

# A child that dies sooner may do so at every start: each restart is delayed longer.
LONG_LIFE = 3.0
FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
READY_POLL = 0.05
# Seconds between two checks of the children's watchdogs.
WATCHDOG_POLL = 1.0
# `make` and a process group deliver one request twice; a person's second one comes later.
SAME_REQUEST = 0.5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class _Place:
    """A child with its current process, if any, and how its earlier processes ended."""

    child: Child
    pid: int | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    ready: bool = False
    early_deaths: int = 0
    stop_by: float | None = None
    watchdog: Watchdog | None = None

    @property
    def done(self) -> bool:
        return self.child.once and self.ready


class Supervisor:
    """Start children tier by tier, restart the dead, stop the highest tier first.

    `stop_grace`: seconds from the stop signal to SIGKILL; a second stop request leaves
    `hurried_grace`. `give_up_after`: after so many deaths of one child before everything is ready,
    all children are stopped; None for no limit. Runs in the main thread of a process that has no
    other threads and no other children: every child is reaped, and killed at the end.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        stop_grace: float,
        hurried_grace: float = 1.0,
        give_up_after: int | None = None,
    ) -> None:
        self.failure: str | None = None
        self._places = [_Place(child) for child in sorted(children, key=lambda child: child.tier)]
        self._stop_grace = stop_grace
        self._hurried_grace = hurried_grace
        self._give_up_after = give_up_after
        self._started = False
        self._stop_requests = 0
        self._last_request = 0.0
        self._hurried = False
        self._looked_at = 0.0
        self._sweeping = False

    def run(self) -> int:
        """Supervise until a stop is requested; return 0, or 1 with the reason in `failure`."""
        adopt_orphans()
        with self._signals() as wake:
            while not self._stop_requests and self.failure is None:
                self._wait(wake, min(self._start(), self._check_watchdogs(), self._sweep()))
                self._reap()
            for tier in sorted({place.child.tier for place in self._places}, reverse=True):
                while pause := self._stop(tier):
                    self._wait(wake, pause)
                    self._reap()
                self._kill_strays(tier)
        return 0 if self.failure is None else 1

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Turn signals into bytes of a pipe, which the loop can wait on without a race."""
        read_end, write_end = os.pipe()
        for end in (read_end, write_end):
            os.set_blocking(end, False)
        handlers = {signum: signal.getsignal(signum) for signum in (*STOP_SIGNALS, signal.SIGCHLD)}
        kept_wakeup = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for signum in handlers:
            signal.signal(signum, self._on_signal)
        try:
            yield read_end
        finally:
            for signum, handler in handlers.items():
                signal.signal(signum, handler)
            signal.set_wakeup_fd(kept_wakeup)
            os.close(read_end)
            os.close(write_end)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if signum not in STOP_SIGNALS:
            return
        now = time.monotonic()
        if not self._stop_requests or now - self._last_request > SAME_REQUEST:
            self._stop_requests += 1
        self._last_request = now

    def _wait(self, wake: int, pause: float) -> None:
        if select.select([wake], [], [], pause)[0]:
            os.read(wake, 65536)

    def _start(self) -> float:
        """Start the children that are due; return the seconds until the next check."""
        now = time.monotonic()
        self._check_readiness(now)
        waiting = [place for place in self._places if not place.ready]
        self._started = self._started or not waiting
        tier = waiting[0].child.tier if waiting else self._places[-1].child.tier
        pause = READY_POLL if any(p.pid and p.child.ready for p in waiting) else 3600.0
        for place in self._places:
            if self._stop_requests:
                # It came between two forks, of which there may be many.
                break
            if place.pid is not None or place.done or place.child.tier > tier:
                continue
            if place.restart_at > now:
                pause = min(pause, place.restart_at - now)
                continue
            timeout = place.child.watchdog_timeout
            place.watchdog = Watchdog(timeout=timeout) if timeout else None
            counter = place.watchdog.counter if place.watchdog else None
            place.pid = fork(place.child, counter=counter)
            place.started_at = now
            pause = READY_POLL
        return pause

    def _check_readiness(self, now: float) -> None:
        for place in self._places:
            child = place.child
            if place.ready or place.pid is None or child.once:
                continue
            place.ready = child.ready is None or child.ready()
            overdue = now - place.started_at > child.ready_timeout
            if not place.ready and overdue and self._give_up_after is not None:
                self.failure = f"{child.name} was not ready within {child.ready_timeout:g} s"

    def _check_watchdogs(self) -> float:
        """Kill the children that missed their watchdog; return the seconds until the next check."""
        now = time.monotonic()
        # When this process did not run, its children may not have either: the machine slept.
        was_away, self._looked_at = now - self._looked_at > 3 * WATCHDOG_POLL, now
        watched = [(p, p.watchdog) for p in self._places if p.pid is not None and p.watchdog]
        for place, watchdog in watched:
            if was_away:
                watchdog.restart(now)
            if watchdog.is_expired(now) and place.pid is not None:
                logger.error(
                    "%s sent no watchdog signal for %g s (interpreter blocked?);"
                    " the supervisor sends it SIGKILL",
                    place.child.name,
                    place.child.watchdog_timeout,
                )
                _signal(place.pid, signal.SIGKILL)
                watchdog.restart(now)
        return WATCHDOG_POLL if watched else 3600.0

    def _sweep(self) -> float:
        """Kill what ended children have started; return the seconds until the next check.

        Their descendants are adopted one generation after the other, as the parents end, so a
        sweep goes on until there is nothing left to adopt.
        """
        if not self._sweeping:
            return 3600.0
        strays = living_children() - {place.pid for place in self._places}
        for pid in strays:
            _signal(pid, signal.SIGKILL)
        self._sweeping = bool(strays)
        return READY_POLL

    def _reap(self) -> None:
        """Note every child that has ended, adopted ones included."""
        for pid, code in reaped():
            for place in self._places:
                if place.pid == pid:
                    self._note_end(place, code)

    def _note_end(self, place: _Place, code: int) -> None:
        child, now = place.child, time.monotonic()
        lived = now - place.started_at
        # Its process group would go on without a parent.
        if place.pid is not None:
            _signal_group(place.pid, signal.SIGKILL)
        place.pid = None
        place.stop_by = None
        self._sweeping = self._sweeping or child.leaves_nothing
        if child.once and code == 0:
            place.ready = True
            return
        if self._stop_requests or self.failure is not None:
            return
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {_name(-code)}"
        recycled = code == RECYCLE and lived > FIRST_DELAY
        place.early_deaths = 0 if recycled or lived >= LONG_LIFE else place.early_deaths + 1
        if child.once or self._must_give_up(place):
            self.failure = f"{child.name} {how} at the start"
            return
        delay = _delay(place.early_deaths)
        place.restart_at = now + delay
        logger.log(
            logging.INFO if recycled else logging.WARNING,
            "%s %s after %.1f s; the supervisor restarts it %s",
            child.name,
            how,
            lived,
            f"in {delay:.1f} s" if delay else "at once",
        )

    def _must_give_up(self, place: _Place) -> bool:
        if self._started or self._give_up_after is None:
            return False
        return place.early_deaths >= self._give_up_after

    def _stop(self, tier: int) -> float:
        """Signal, then kill, the tier's children; return the seconds to wait, 0 for none."""
        now = time.monotonic()
        hurry = self._stop_requests > 1 and not self._hurried
        self._hurried = self._hurried or hurry
        pauses = []
        for place in self._places:
            child = place.child
            if place.pid is None or child.tier != tier:
                continue
            if place.stop_by is None:
                _signal(place.pid, child.stop_signal)
                place.stop_by = now + self._grace(child)
            elif hurry and child.stop_grace is None:
                _signal(place.pid, child.stop_signal)
                place.stop_by = min(place.stop_by, now + self._grace(child))
            elif place.stop_by <= now:
                logger.warning(
                    "%s did not stop within its grace period; the supervisor sends it %s",
                    child.name,
                    child.kill_signal.name,
                )
                _signal(place.pid, child.kill_signal)
                _signal_group(place.pid, child.kill_signal)
                place.stop_by = now + LONGEST_DELAY
            pauses.append(max(place.stop_by - now, 0.001))
        return min(pauses, default=0.0)

    def _grace(self, child: Child) -> float:
        if child.stop_grace is not None:
            return child.stop_grace
        return self._hurried_grace if self._hurried else self._stop_grace

    def _kill_strays(self, tier: int) -> None:
        """Kill the descendants that outlived the stopped tiers' children."""
        kept = {place.pid for place in self._places if place.child.tier < tier}
        while strays := living_children() - kept:
            for pid in strays:
                _signal(pid, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def _delay(early_deaths: int) -> float:
    return min(LONGEST_DELAY, FIRST_DELAY * 2 ** (early_deaths - 1)) if early_deaths else 0.0


def _name(signum: int) -> str:
    return Signals(signum).name


def _signal(pid: int, signum: Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)


def _signal_group(pid: int, signum: Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signum)
