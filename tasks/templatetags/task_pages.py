"""Template tags of the pages: times, durations, JSON values and bar charts."""

from __future__ import annotations

from typing import Any

from django import template

from tasks.formatting import duration, elapsed, relative_time
from tasks.pages.tree import Tree, tree_of

register = template.Library()


register.simple_tag(relative_time, name="moment")
register.simple_tag(elapsed, name="duration")
register.filter("seconds", duration)


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
