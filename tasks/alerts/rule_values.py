"""Values of rules: what is wrong with them, as sentences for the fields."""

from __future__ import annotations

from collections.abc import Iterator, Set

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from tasks.alerts.conditions import DEFINITIONS, Definition
from tasks.callback_address import mistake_in as mistake_in_url
from tasks.errors import FieldError
from tasks.models import AlertRule
from tasks.submission import QUEUE_NAME, QUEUE_RULE

NAME_LENGTH = 100
KIND_LENGTH = 128
ERROR_TYPE_LENGTH = 200
MOST_EMAILS = 20
# Seconds.
WINDOW = (60, 3_600)
LONGEST_HOLD = 86_400
FILTERS = ("queue", "kind", "error_type")


def mistakes_in(rule: AlertRule, touched: Set[str]) -> list[FieldError]:
    """Return what is wrong with a rule; receivers that were not touched stay as they are."""
    errors = [*_in_name(rule), *_in_condition(rule), *_in_times(rule)]
    if "emails" in touched:
        errors += _in_emails(rule.emails)
    if "webhook_url" in touched and rule.webhook_url:
        errors += [
            FieldError("webhook_url", mistake)
            for mistake in (mistake_in_url(rule.webhook_url),)
            if mistake
        ]
    return errors


def _in_name(rule: AlertRule) -> Iterator[FieldError]:
    name = rule.name
    if not (0 < len(name) <= NAME_LENGTH and name.isprintable() and name == name.strip()):
        yield FieldError("name", f"Use 1 to {NAME_LENGTH} printable characters.")


def _in_condition(rule: AlertRule) -> Iterator[FieldError]:
    definition = DEFINITIONS.get(rule.condition)
    if definition is None:
        yield FieldError("condition", "There is no such condition.")
        return
    for name in FILTERS:
        if getattr(rule, name) and name not in definition.filters:
            yield FieldError(name, f"The condition {rule.condition} has no such filter.")
    if rule.queue and not QUEUE_NAME.fullmatch(rule.queue):
        yield FieldError("queue", QUEUE_RULE)
    for name, length in (("kind", KIND_LENGTH), ("error_type", ERROR_TYPE_LENGTH)):
        value = getattr(rule, name)
        if len(value) > length or not value.isprintable():
            yield FieldError(name, f"Use at most {length} printable characters.")
    yield from _in_threshold(rule, definition)


def _in_threshold(rule: AlertRule, definition: Definition) -> Iterator[FieldError]:
    if not definition.unit:
        if rule.threshold is not None:
            yield FieldError("threshold", f"The condition {rule.condition} has no threshold.")
    elif rule.threshold is None:
        yield FieldError("threshold", f"A number is needed ({definition.unit}).")
    elif not definition.low <= rule.threshold <= definition.high:
        yield FieldError(
            "threshold",
            f"Must be {definition.low:,} to {definition.high:,} ({definition.unit}).",
        )


def _in_times(rule: AlertRule) -> Iterator[FieldError]:
    low, high = WINDOW
    if not low <= rule.window_seconds <= high:
        yield FieldError("window_seconds", f"Must be {low:,} to {high:,}.")
    if not 0 <= rule.for_seconds <= LONGEST_HOLD:
        yield FieldError("for_seconds", f"Must be 0 to {LONGEST_HOLD:,}.")


def _in_emails(emails: list[str]) -> Iterator[FieldError]:
    if emails and not settings.EMAIL_HOST:
        yield FieldError("emails", "E-mail is not set up: the setting EMAIL_URL is empty.")
    if len(emails) > MOST_EMAILS:
        yield FieldError("emails", f"Use at most {MOST_EMAILS} addresses.")
    if len(set(emails)) < len(emails):
        yield FieldError("emails", "An address occurs twice.")
    for number, email in enumerate(emails):
        try:
            validate_email(email)
        except ValidationError:
            yield FieldError(f"emails.{number}", "This is not an e-mail address.")
