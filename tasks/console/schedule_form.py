"""Form of a schedule; the verbs validate its values."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tasks import kinds
from tasks.console.verb_form import VerbForm
from tasks.cron import time_zones
from tasks.models import CatchUp, Overlap, Schedule
from tasks.schedules import JITTER_LIMIT, Changes
from tasks.schema_fields import ObjectField

WIDE = {"class": "ops-code-field", "spellcheck": "false"}


class ScheduleForm(VerbForm):
    """The task to submit and its times; read-only for viewers."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget)
    enabled = forms.BooleanField(required=False, initial=True, widget=UnfoldBooleanSwitchWidget)
    kind = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    input = ObjectField(
        # Django treats an empty object as a missing value.
        required=False,
        initial="{}",
        help_text="A JSON object that matches the kind's schema.",
        widget=UnfoldAdminTextareaWidget(attrs={**WIDE, "rows": 6}),
    )
    queue = forms.CharField(
        required=False,
        max_length=40,
        help_text="Leave empty for the kind's default queue.",
        widget=UnfoldAdminTextInputWidget,
    )
    cron = forms.CharField(
        max_length=100,
        label="Cron expression",
        help_text="Minute, hour, day of month, month, day of week, such as 30 2 * * MON-FRI.",
        widget=UnfoldAdminTextInputWidget(attrs=WIDE),
    )
    timezone = forms.ChoiceField(
        initial="UTC",
        label="Time zone",
        help_text="The time zone of the cron expression; daylight saving time is applied.",
        widget=UnfoldAdminSelectWidget,
    )

    overlap = forms.ChoiceField(
        choices=Overlap.choices,
        initial=Overlap.ALLOW,
        label="While an earlier task has not ended",
        help_text="What a run does then.",
        widget=UnfoldAdminSelectWidget,
    )
    catch_up = forms.ChoiceField(
        choices=CatchUp.choices,
        initial=CatchUp.ONCE,
        label="Missed runs",
        help_text="Runs that were due while no worker was alive.",
        widget=UnfoldAdminSelectWidget,
    )
    jitter = forms.IntegerField(
        min_value=0,
        max_value=JITTER_LIMIT,
        initial=0,
        label="Start later by up to",
        help_text="Seconds, at random, so that many schedules do not start at once.",
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(
        self, data: Any = None, *, schedule: Schedule | None = None, read_only: bool = False
    ) -> None:
        super().__init__(data, initial=_initial(schedule) if schedule else None)
        # A stored value stays valid, even if its kind or time zone no longer exists.
        kind_names = {*kinds.all_kinds(), *([schedule.kind] if schedule else [])}
        zones = {*time_zones(), *([schedule.timezone] if schedule else [])}
        self._set_choices("kind", kind_names)
        self._set_choices("timezone", zones)
        for field in self.fields.values():
            field.disabled = read_only

    def changes(self) -> Changes:
        """Return the values of a valid form."""
        values = self.cleaned_data
        return {
            "name": values["name"],
            "kind": values["kind"],
            "input": values["input"],
            "queue": values["queue"] or None,
            "cron": values["cron"],
            "timezone": values["timezone"],
            "enabled": values["enabled"],
            "overlap": values["overlap"],
            "catch_up": values["catch_up"],
            "jitter": values["jitter"],
        }

    def _set_choices(self, name: str, values: set[str]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(value, value) for value in sorted(values)]


def _initial(schedule: Schedule) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "enabled": schedule.enabled,
        "kind": schedule.kind,
        "input": json.dumps(schedule.input, indent=2, ensure_ascii=False),
        "queue": schedule.queue,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "jitter": schedule.jitter,
    }
