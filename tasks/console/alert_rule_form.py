"""Form of a rule of alerts; the verbs validate its values."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tasks.alerts.conditions import DEFINITIONS
from tasks.alerts.rules import Values
from tasks.console.verb_form import VerbForm
from tasks.models import AlertRule, Condition


def _choices() -> list[tuple[str, str]]:
    """Return the conditions, each with the unit of its threshold and its filters."""
    choices = []
    for condition, definition in DEFINITIONS.items():
        notes = [definition.unit or "no threshold"]
        if definition.filters:
            filters = ", ".join(name.replace("_", " ") for name in definition.filters)
            notes.append(f"by {filters}")
        choices.append((str(condition), f"{Condition(condition).label} ({'; '.join(notes)})"))
    return choices


class AlertRuleForm(VerbForm):
    """What to watch and whom to notify; read-only for viewers."""

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget)
    enabled = forms.BooleanField(required=False, initial=True, widget=UnfoldBooleanSwitchWidget)
    condition = forms.ChoiceField(
        choices=_choices,
        help_text="In brackets: the unit of the threshold, and the filters that it has.",
        widget=UnfoldAdminSelectWidget,
    )
    threshold = forms.FloatField(
        required=False,
        help_text="The condition is true from this value on.",
        widget=UnfoldAdminTextInputWidget,
    )
    queue = forms.CharField(
        required=False, help_text="Leave empty for all.", widget=UnfoldAdminTextInputWidget
    )
    kind = forms.CharField(
        required=False, help_text="Leave empty for all.", widget=UnfoldAdminTextInputWidget
    )
    error_type = forms.CharField(
        required=False,
        label="Error type",
        help_text="Such as ValueError; leave empty for all.",
        widget=UnfoldAdminTextInputWidget,
    )
    window_seconds = forms.IntegerField(
        initial=900,
        label="Window in seconds",
        help_text="The past that failed tasks and the failure rate are counted in.",
        widget=UnfoldAdminTextInputWidget,
    )
    for_seconds = forms.IntegerField(
        initial=0,
        label="Opens after seconds",
        help_text="How long the condition must be true before an alert opens.",
        widget=UnfoldAdminTextInputWidget,
    )
    emails = forms.CharField(
        required=False,
        label="E-mail addresses",
        help_text="One on each line.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )
    webhook_url = forms.CharField(
        required=False,
        label="Webhook URL",
        help_text="Messages are signed; GET /api/v1/alerts/secrets returns the secret.",
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(
        self, data: Any = None, *, rule: AlertRule | None = None, read_only: bool = False
    ) -> None:
        super().__init__(data, initial=_initial(rule) if rule else None)
        for field in self.fields.values():
            field.disabled = read_only

    def values(self) -> Values:
        """Return the values of a valid form."""
        values: Any = {**self.cleaned_data}
        values["emails"] = values["emails"].split()
        return values  # type: ignore[no-any-return]

    def name_place(self, rest: str) -> str:
        """Return the line of a list, counted from 1."""
        return f"Line {int(rest) + 1}"


def _initial(rule: AlertRule) -> dict[str, Any]:
    threshold = rule.threshold
    is_whole = threshold is not None and threshold.is_integer()
    return {
        **vars(rule),
        "threshold": int(threshold) if is_whole and threshold is not None else threshold,
        "emails": "\n".join(rule.emails),
    }
