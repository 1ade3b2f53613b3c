"""Formatting of times, durations and JSON values for people: console and pages."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.models import Status, Task

MAX_CHARACTERS = 20_000
DASH = "–"
# The database's clock may be ahead by this many seconds; such a time is not in the future.
CLOCK_SKEW = 2.0


@dataclass(frozen=True)
class Payload:
    """Indented JSON, cut to MAX_CHARACTERS, and its complete length."""

    text: str
    length: int

    @property
    def is_cut(self) -> bool:
        return self.length > len(self.text)


def payload(value: Any) -> Payload:
    """Indent a JSON value and cut it if it is too long to show."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return Payload(text=text[:MAX_CHARACTERS], length=len(text))


def duration(seconds: float | None) -> str:
    """Format seconds in their two largest units."""
    if seconds is None:
        return DASH
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def elapsed(
    start: dt.datetime | None, end: dt.datetime | None = None, *, now: dt.datetime | None = None
) -> str:
    """Format the time between two moments; without an end, until now."""
    if start is None:
        return DASH
    return duration(((end or now or timezone.now()) - start).total_seconds())


def last_duration(task: Task) -> str:
    """Format the duration of a task's last attempt, until now if it is running."""
    has_run = task.status == Status.PROCESSING or task.finished_at
    return elapsed(task.started_at, task.finished_at) if has_run else DASH


def relative_time(moment: dt.datetime | None, *, now: dt.datetime | None = None) -> SafeString:
    """Format a moment relative to now, with the exact time as the title."""
    if moment is None:
        return SafeString(DASH)
    age = ((now or timezone.now()) - moment).total_seconds()
    text = f"in {_coarse(-age)}" if age < -CLOCK_SKEW else f"{_coarse(max(0.0, age))} ago"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), timestamp(moment), text
    )


def timestamp(moment: dt.datetime | None) -> str:
    """Format a moment to the millisecond."""
    if moment is None:
        return DASH
    local = timezone.localtime(moment)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"


def _coarse(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if round(seconds / size, 2) >= 1:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
