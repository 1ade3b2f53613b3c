"""Per-host concurrency limit and back-off, so that one slow receiver cannot block the others.

Each worker process keeps its own counts in memory; losing them with the process loses no callback.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings

from tasks.callbacks.post import TOTAL_LIMIT, NoAnswer

# How long a call waits for another call to the same host to end; seconds.
WAIT_SECONDS = 0.2
# After a host did not answer, no call is made for so long; then one call tries it; seconds.
DOWN_SECONDS = 10.0
# Of the calls that find a host busy or down, one in so many seconds postpones the callbacks to it.
POSTPONE_EVERY = 1.0
# Bounds the memory, however many hosts callbacks name.
MAX_HOSTS = 10_000


class HostBusy(Exception):
    """The host has as many calls in progress as allowed, and none ended in WAIT_SECONDS."""


class HostDown(Exception):
    """The host has just failed to answer another call."""


@dataclass
class _Host:
    calls: int = 0
    # A call waited and got no slot: the next ones fail at once.
    is_jammed: bool = False
    down_until: float = 0.0
    # By owner.
    postponed_at: dict[int | None, float] = field(default_factory=dict)


_changed = threading.Condition()
_hosts: dict[str, _Host] = {}
_slots: int = settings.WORKER_CONCURRENCY


@contextmanager
def host_slot(name: str, *, is_last_try: bool = False) -> Iterator[None]:
    """Hold one of a host's slots during a call; raise HostBusy or HostDown instead.

    The last try of a callback is made even to a host that is down.
    """
    host = _take(name, is_last_try=is_last_try)
    try:
        yield
    except NoAnswer:
        host.down_until = time.monotonic() + DOWN_SECONDS
        raise
    else:
        host.down_until = 0.0
        host.is_jammed = False
    finally:
        _release(name, host)


def should_postpone(name: str, *, owner_id: int | None) -> bool:
    """Return whether the caller should postpone callbacks to a host: one in POSTPONE_EVERY."""
    now = time.monotonic()
    with _changed:
        host = _hosts.setdefault(name, _Host())
        if now < host.postponed_at.get(owner_id, 0.0) + POSTPONE_EVERY:
            return False
        host.postponed_at[owner_id] = now
    return True


def set_capacity(slots: int) -> None:
    """Set how many slots this process has; one host may use half of them."""
    global _slots
    _slots = slots


def reset() -> None:
    """Remove all hosts."""
    with _changed:
        _hosts.clear()


def _take(name: str, *, is_last_try: bool) -> _Host:
    limit = max(1, _slots // 2)
    with _changed:
        host = _hosts.setdefault(name, _Host())

        def is_free() -> bool:
            return host.calls < limit

        if time.monotonic() < host.down_until and not is_last_try:
            raise HostDown
        if not is_free() and (host.is_jammed or not _changed.wait_for(is_free, WAIT_SECONDS)):
            host.is_jammed = True
            raise HostBusy
        if host.down_until:
            # One call tries the host; for the others it stays down meanwhile.
            host.down_until = time.monotonic() + TOTAL_LIMIT
        host.calls += 1
        return host


def _release(name: str, host: _Host) -> None:
    with _changed:
        host.calls -= 1
        if not host.calls and not host.down_until:
            _hosts.pop(name, None)
        if len(_hosts) > MAX_HOSTS:
            for idle in [other for other, limits in _hosts.items() if not limits.calls]:
                del _hosts[idle]
        _changed.notify_all()
