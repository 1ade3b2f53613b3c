"""Adoption: tasks that were submitted before a limit was created come under it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from django.db.models.functions import Now

from tasks import sql
from tasks.models import Limit

log = logging.getLogger(__name__)

ADOPT_LIMIT = 1_000
# Those who submit read the limits, and the lock of that lasts until their transaction ends.
_READERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = 'tasks_limit'::regclass AND pid <> pg_backend_pid()
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Adoption:
    """Brings tasks under limits that do not apply yet; a step takes what can be done at once.

    A limit applies when every transaction that may have submitted without it has ended, and no task
    is left that does not count.
    """

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self._is_stopped = is_stopped
        # The readers at the first sight of each limit.
        self._readers: dict[uuid.UUID, set[str]] = {}

    def step(self) -> bool:
        """Adopt tasks; note which limits apply. Return whether there are others."""
        new = set(Limit.objects.filter(applies_at=None).values_list("pk", flat=True))
        self._readers = {pk: readers for pk, readers in self._readers.items() if pk in new}
        if not new:
            return False
        now_reading = {transaction for (transaction,) in sql.run(_READERS, {})}
        for pk in new:
            self._readers[pk] = self._readers.get(pk, now_reading) & now_reading
        # No reader from before the limit is left when the walk begins.
        ready = [pk for pk in new if not self._readers[pk]]
        if self._adopt_all() and ready:
            Limit.objects.filter(pk__in=ready, applies_at=None).update(applies_at=Now())
            log.info("limits apply now", extra={"limits": sorted(map(str, ready))})
        return are_starting()

    def _adopt_all(self) -> bool:
        """Walk once through all that waits and runs; return whether nothing was changed or left."""
        after, is_quiet = 0, True
        while not self._is_stopped():
            ((last, adopted, left),) = sql.run(sql.ADOPT, {"after": after, "limit": ADOPT_LIMIT})
            is_quiet &= not (adopted or left)
            if last is None:
                ((adopted, left),) = sql.run(sql.ADOPT_RUNNING, {})
                return is_quiet and not (adopted or left)
            after = last
        return False


def are_starting() -> bool:
    """Return whether some limits do not apply yet."""
    return Limit.objects.filter(applies_at=None).exists()
