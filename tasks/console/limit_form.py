"""Form of a limit; the verbs validate its values."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tasks.console.verb_form import VerbForm
from tasks.limit_values import RATE_RULE
from tasks.limits import Changes
from tasks.models import Limit, Scope

# For which tasks a limit is: set once.
PLACE = ("scope", "name", "by", "key", "ordered")
NUMBERS = ("concurrent", "rate", "burst")


class LimitForm(VerbForm):
    """For which tasks a limit is, and its numbers; read-only for viewers.

    An ordered limit has no numbers to change.
    """

    scope = forms.ChoiceField(
        choices=Scope.choices,
        help_text="Queue or kind: all their tasks count together. Owner: those of each owner. Key:"
        " those of a kind that have the same value in their input.",
        widget=UnfoldAdminSelectWidget,
    )
    name = forms.CharField(
        required=False,
        max_length=150,
        help_text="The queue or the kind. For one owner only, as an exception: the account's name.",
        widget=UnfoldAdminTextInputWidget,
    )
    by = forms.CharField(
        required=False,
        max_length=200,
        label="Field of the input",
        help_text="With the scope key: where the value is, such as customer_id.",
        widget=UnfoldAdminTextInputWidget,
    )
    key = forms.CharField(
        required=False,
        max_length=1_000,
        label="Only for the value",
        help_text="With the scope key: an exception for one value. Leave empty for all.",
        widget=UnfoldAdminTextInputWidget,
    )
    ordered = forms.BooleanField(
        required=False,
        label="One after another",
        help_text="Of a kind or each key: tasks run one at a time in the order of their submission."
        " The next one starts when the one before has ended, with all its attempts.",
        widget=UnfoldBooleanSwitchWidget,
    )
    concurrent = forms.IntegerField(
        required=False,
        min_value=1,
        label="At once",
        help_text="At most so many tasks run at once. Empty: no bound.",
        widget=UnfoldAdminIntegerFieldWidget,
    )
    rate = forms.CharField(
        required=False,
        max_length=20,
        help_text=f"At most so many tasks start in any period. {RATE_RULE} Empty: no bound.",
        widget=UnfoldAdminTextInputWidget,
    )
    burst = forms.IntegerField(
        required=False,
        min_value=1,
        help_text="How many tasks of a rate may start together: 1 if empty.",
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def __init__(
        self, data: Any = None, *, limit: Limit | None = None, read_only: bool = False
    ) -> None:
        super().__init__(data, initial=_initial(limit) if limit else None)
        if limit:
            for name in PLACE + (NUMBERS if limit.ordered else ()):
                del self.fields[name]
        for field in self.fields.values():
            field.disabled = read_only

    def place(self) -> dict[str, Any]:
        """Return for which tasks a new limit is."""
        values = self.cleaned_data
        return {
            "scope": values["scope"],
            "name": values["name"],
            "by": values["by"] or None,
            "key": values["key"] or None,
            "ordered": values["ordered"],
        }

    def changes(self) -> Changes:
        """Return the numbers of a valid form."""
        values = self.cleaned_data
        if "rate" not in values:
            return {}
        rate = values["rate"] or None
        concurrent = values["concurrent"] or (1 if values.get("ordered") else None)
        changes: Changes = {"concurrent": concurrent, "rate": rate}
        if rate or values["burst"]:
            changes["burst"] = values["burst"]
        return changes


def _initial(limit: Limit) -> dict[str, Any]:
    return {
        "concurrent": limit.concurrent,
        "rate": str(limit.per_period) if limit.per_period else "",
        "burst": limit.burst,
    }
