"""Lines to receivers: few to each, none to a dead one, so that nobody waits for another's receiver.

Each worker process keeps its own; nothing is lost with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings

from tasks.callbacks.post import TOTAL_LIMIT, NoAnswer

# How long a call waits for another to the same receiver to end; seconds.
PATIENCE = 0.2
# For so long after a receiver did not answer it is taken for dead, then one call tries it; seconds.
DEAD_FOR = 10.0
# Of those who find a receiver engaged or dead, one puts off what waits for it; seconds.
PUT_OFF_EVERY = 1.0
# No memory without end, whatever addresses come.
MOST_LINES = 10_000


class Engaged(Exception):
    """As many calls as may go to this receiver at once are under way, and none ends."""


class Dead(Exception):
    """The receiver has just failed to answer other calls."""


@dataclass
class _Line:
    calls: int = 0
    # Calls have waited in vain: the next ones need not.
    is_jammed: bool = False
    dead_until: float = 0.0
    # By owner.
    put_off_at: dict[int | None, float] = field(default_factory=dict)


_changed = threading.Condition()
_lines: dict[str, _Line] = {}
_slots: int = settings.WORKER_CONCURRENCY


@contextmanager
def line(receiver: str, *, is_last_try: bool = False) -> Iterator[None]:
    """Hold a line while a receiver is called; raise Engaged or Dead when it should not be.

    The last try of all does not shrink from a dead receiver.
    """
    taken = _take(receiver, is_last_try=is_last_try)
    try:
        yield
    except NoAnswer:
        taken.dead_until = time.monotonic() + DEAD_FOR
        raise
    else:
        taken.dead_until = 0.0
        taken.is_jammed = False
    finally:
        _give_back(receiver, taken)


def is_to_put_off(receiver: str, *, owner_id: int | None) -> bool:
    """Say whether what waits for a receiver is to be put off now; once for all who ask together."""
    now = time.monotonic()
    with _changed:
        known = _lines.setdefault(receiver, _Line())
        if now < known.put_off_at.get(owner_id, 0.0) + PUT_OFF_EVERY:
            return False
        known.put_off_at[owner_id] = now
    return True


def share_out(slots: int) -> None:
    """Leave half of so many slots, those of this process, to others than any one receiver."""
    global _slots
    _slots = slots


def hang_up() -> None:
    """Forget all receivers."""
    with _changed:
        _lines.clear()


def _take(receiver: str, *, is_last_try: bool) -> _Line:
    most = max(1, _slots // 2)
    with _changed:
        wanted = _lines.setdefault(receiver, _Line())

        def is_free() -> bool:
            return wanted.calls < most

        if time.monotonic() < wanted.dead_until and not is_last_try:
            raise Dead
        if not is_free() and (wanted.is_jammed or not _changed.wait_for(is_free, PATIENCE)):
            wanted.is_jammed = True
            raise Engaged
        if wanted.dead_until:
            # One call tries; the others go on taking it for dead.
            wanted.dead_until = time.monotonic() + TOTAL_LIMIT
        wanted.calls += 1
        return wanted


def _give_back(receiver: str, taken: _Line) -> None:
    with _changed:
        taken.calls -= 1
        if not taken.calls and not taken.dead_until:
            _lines.pop(receiver, None)
        if len(_lines) > MOST_LINES:
            for name in [name for name, one in _lines.items() if not one.calls]:
                del _lines[name]
        _changed.notify_all()
