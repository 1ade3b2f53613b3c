"""Template tags of the pages: times, durations, JSON values and bar charts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tasks.pages.tree import Tree, tree_of

register = template.Library()


@register.simple_tag
def moment(at: dt.datetime | None) -> SafeString | str:
    """Show a time relative to now, with the exact time as the title."""
    if at is None:
        return "–"
    exact = at.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="milliseconds"),
        f"{exact:%Y-%m-%d %H:%M:%S} UTC",
        naturaltime(at),
    )


@register.simple_tag
def duration(start: dt.datetime | None, end: dt.datetime | None = None) -> str:
    """Show the time between two moments; without an end, until now."""
    if start is None:
        return "–"
    seconds = max(0.0, ((end or timezone.now()) - start).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"
    if seconds < 10:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole} s" if minutes else f"{whole} s"


@register.inclusion_tag("tasks/_tree.html")
def value_tree(value: Any) -> dict[str, Tree]:
    """Show a JSON value as names and values."""
    return {"tree": tree_of(value)}


@register.inclusion_tag("tasks/_bars.html")
def bar_chart(labels: Any, values: Any, caption: str) -> dict[str, Any]:
    """Show numbers as a table with bars; anything but two lists shows nothing."""
    if not isinstance(labels, list) or not isinstance(values, list):
        return {"caption": caption, "bars": []}
    pairs = [
        (label, value) for label, value in zip(labels, values, strict=False) if _is_count(value)
    ]
    highest = max((value for _, value in pairs), default=0) or 1
    bars = [(label, value, f"{100 * value / highest:.1f}%") for label, value in pairs]
    return {"caption": caption, "bars": bars}


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
