"""Times, durations and payloads, as an operator reads them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.models import Status, Task

SHOWN_CHARACTERS = 20_000
NOTHING = "–"
# The database's clock may be ahead of ours by so many seconds: its present is no future.
CLOCK_SKEW = 2.0


@dataclass(frozen=True)
class Payload:
    """JSON for reading: its text, perhaps only the beginning, and its whole length."""

    text: str
    length: int

    @property
    def cut(self) -> bool:
        return self.length > len(self.text)


def payload(value: Any) -> Payload:
    """Lay out a JSON value over lines and cut what is too long to show."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return Payload(text=text[:SHOWN_CHARACTERS], length=len(text))


def span(seconds: float | None) -> str:
    """Write a number of seconds in its two largest units."""
    if seconds is None:
        return NOTHING
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


def between(
    start: dt.datetime | None, end: dt.datetime | None, *, now: dt.datetime | None = None
) -> str:
    """Write how long something took, or has taken until now."""
    if start is None:
        return NOTHING
    return span(((end or now or timezone.now()) - start).total_seconds())


def last_run(task: Task) -> str:
    """Write how long a task's last attempt took, or has taken until now."""
    ran = task.status == Status.PROCESSING or task.finished_at
    return between(task.started_at, task.finished_at) if ran else NOTHING


def ago(moment: dt.datetime | None, *, now: dt.datetime | None = None) -> SafeString:
    """Write how far a moment lies from now, with the moment itself as the title."""
    if moment is None:
        return SafeString(NOTHING)
    away = ((now or timezone.now()) - moment).total_seconds()
    words = f"in {_coarse(-away)}" if away < -CLOCK_SKEW else f"{_coarse(max(0.0, away))} ago"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), clock(moment), words
    )


def clock(moment: dt.datetime | None) -> str:
    """Write a moment to the millisecond."""
    if moment is None:
        return NOTHING
    local = timezone.localtime(moment)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"


def _coarse(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
