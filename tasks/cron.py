"""When a schedule ticks: a cron expression of five fields, read in a time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from tasks.errors import FieldError, InvalidInput

CRON_LENGTH = 100
_FIELDS = "minute, hour, day of month, month, day of week"
# A day in the middle of nothing, to try an expression on.
_SOME_DAY = dt.datetime(2000, 1, 1)


@dataclass(frozen=True, kw_only=True)
class CronExpression:
    """A cron expression and the name of a time zone, as somebody wrote them.

    Daylight saving is Debian's cron's: what is set for a time that is skipped comes right after
    the gap, what is set for a time that is repeated comes once.
    """

    cron: str
    timezone: str

    def next_tick(self, *, after: dt.datetime) -> dt.datetime:
        """Return the first tick after a moment; raise InvalidInput where there is none."""
        for tick in self.ticks(after=after):
            return tick
        raise InvalidInput([FieldError("cron", "There is no such day in the next 50 years.")])

    def upcoming(self, count: int, *, after: dt.datetime) -> list[dt.datetime]:
        """Return the next ticks after a moment; raise InvalidInput."""
        return list(islice(self.ticks(after=after), count))

    def ticks(self, *, after: dt.datetime) -> Iterator[dt.datetime]:
        """Yield the ticks after a moment, in UTC, for ever; raise InvalidInput."""
        if errors := self.mistakes():
            raise InvalidInput(errors)
        for local in CronSim(self.cron, after.astimezone(self.zone())):
            tick = local.astimezone(dt.UTC)
            # Within an hour that is repeated, the library names its first round again.
            if tick > after:
                yield tick

    def zone(self) -> ZoneInfo:
        """Return the time zone, once it is known to be one."""
        return ZoneInfo(self.timezone)

    def mistakes(self) -> list[FieldError]:
        """Return what is wrong with the expression and with the zone."""
        found = []
        if mistake := self._cron_mistake():
            found.append(FieldError("cron", mistake))
        if self.timezone not in time_zones():
            found.append(FieldError("timezone", "Use an IANA name, such as Europe/Berlin."))
        return found

    def in_words(self) -> str:
        """Say the expression in English, or nothing for one that cannot be read."""
        if self._cron_mistake():
            return ""
        return str(CronSim(self.cron, _SOME_DAY).explain())

    def _cron_mistake(self) -> str | None:
        if len(self.cron) > CRON_LENGTH:
            return f"Use at most {CRON_LENGTH} characters."
        # The library would also take six, with seconds.
        if len(self.cron.split()) != 5:
            return f"Five fields are needed: {_FIELDS}."
        try:
            CronSim(self.cron, _SOME_DAY)
        except CronSimError as error:
            return f"{error} in an expression of {_FIELDS}."
        return None


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones; read from the disk once."""
    return frozenset(available_timezones())
