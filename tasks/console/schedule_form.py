"""The form of a schedule; what may stand in it is judged by the verbs."""

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
from tasks.cron import time_zones
from tasks.errors import FieldError
from tasks.models import Schedule
from tasks.schedules import Changes
from tasks.schema_fields import JSONField

WIDE = {"class": "ops-code-field", "spellcheck": "false"}


class ScheduleForm(forms.Form):
    """What to submit and when; read-only for whoever may only look."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget)
    enabled = forms.BooleanField(
        required=False, initial=True, label="On", widget=UnfoldBooleanSwitchWidget
    )
    kind = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    input = JSONField(
        # To Django an empty object is no value.
        required=False,
        initial="{}",
        help_text="A JSON object, as the kind's schema wants it.",
        widget=UnfoldAdminTextareaWidget(attrs={**WIDE, "rows": 6}),
    )
    queue = forms.CharField(
        required=False,
        max_length=40,
        help_text="Empty: the kind's own.",
        widget=UnfoldAdminTextInputWidget,
    )
    cron = forms.CharField(
        max_length=100,
        label="Cron expression",
        help_text="Minute, hour, day of month, month, day of week: 30 2 * * MON-FRI.",
        widget=UnfoldAdminTextInputWidget(attrs=WIDE),
    )
    timezone = forms.ChoiceField(
        initial="UTC",
        label="Time zone",
        help_text="The expression is read in it, daylight saving included.",
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(
        self, data: Any = None, *, schedule: Schedule | None = None, read_only: bool = False
    ) -> None:
        super().__init__(data, initial=_initial(schedule) if schedule else None)
        # What the schedule says now can be kept, even where it is known no more.
        known = {*kinds.all_kinds(), *([schedule.kind] if schedule else [])}
        zones = {*time_zones(), *([schedule.timezone] if schedule else [])}
        self._offer("kind", known)
        self._offer("timezone", zones)
        for field in self.fields.values():
            field.disabled = read_only

    def changes(self) -> Changes:
        """Return what was asked for, once the form is known to be valid."""
        wanted = self.cleaned_data
        return {
            "name": wanted["name"],
            "kind": wanted["kind"],
            "input": wanted["input"],
            "queue": wanted["queue"] or None,
            "cron": wanted["cron"],
            "timezone": wanted["timezone"],
            "enabled": wanted["enabled"],
        }

    def clean_input(self) -> dict[str, Any]:
        """Refuse JSON that is no object; nothing stands for an empty one."""
        value = self.cleaned_data["input"]
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise forms.ValidationError("This must be a JSON object: {…}")
        return value

    def refuse(self, errors: list[FieldError]) -> None:
        """Show what a verb refused, at the fields that it is about."""
        for error in errors:
            field, _, rest = error.field.partition(".")
            message = f"{rest}: {error.message}" if rest else error.message
            self.add_error(field if field in self.fields else None, message)

    def _offer(self, name: str, values: set[str]) -> None:
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
    }
