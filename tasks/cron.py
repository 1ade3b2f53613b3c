"""Cron expressions: five fields, read in a time zone."""

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
# An arbitrary day for parsing expressions.
_SOME_DAY = dt.datetime(2000, 1, 1)


@dataclass(frozen=True, kw_only=True)
class CronExpression:
    """A cron expression and the name of a time zone, as they were entered, valid or not.

    Daylight saving as in Debian's cron: a tick at a skipped time comes right after the gap, a tick
    at a repeated time comes once.
    """

    cron: str
    timezone: str

    def next_tick(self, *, after: dt.datetime) -> dt.datetime:
        """Return the first tick after a moment; raise InvalidInput if there is none."""
        for tick in self.ticks(after=after):
            return tick
        message = "The cron expression matches no day in the next 50 years."
        raise InvalidInput([FieldError("cron", message)])

    def upcoming(self, count: int, *, after: dt.datetime) -> list[dt.datetime]:
        """Return the next ticks after a moment; raise InvalidInput."""
        return list(islice(self.ticks(after=after), count))

    def ticks(self, *, after: dt.datetime) -> Iterator[dt.datetime]:
        """Yield the ticks after a moment, in UTC, without end; raise InvalidInput."""
        if errors := self.mistakes():
            raise InvalidInput(errors)
        for local in CronSim(self.cron, after.astimezone(self.zone())):
            tick = local.astimezone(dt.UTC)
            # Within a repeated hour, the library yields ticks of the first pass again.
            if tick > after:
                yield tick

    def zone(self) -> ZoneInfo:
        """Return the time zone; `mistakes` must have found its name valid."""
        return ZoneInfo(self.timezone)

    def mistakes(self) -> list[FieldError]:
        """Return what is wrong with the expression and with the zone."""
        errors = []
        if mistake := self._cron_mistake():
            errors.append(FieldError("cron", mistake))
        if self.timezone not in time_zones():
            errors.append(FieldError("timezone", "Use an IANA name, such as Europe/Berlin."))
        return errors

    def in_words(self) -> str:
        """Return the expression in English, or an empty text for an invalid one."""
        if self._cron_mistake():
            return ""
        return str(CronSim(self.cron, _SOME_DAY).explain())

    def _cron_mistake(self) -> str | None:
        if len(self.cron) > CRON_LENGTH:
            return f"Use at most {CRON_LENGTH} characters."
        # The library also accepts six fields, with seconds.
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
