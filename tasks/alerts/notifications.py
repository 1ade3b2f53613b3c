"""Notifications: each message about an alert is a task, submitted with what it reports.

A task for each address, so that one that is refused is tried again without a second message to the
others. The task names the alert; the message is made from its row when it is sent.
"""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

import orjson
from django.conf import settings

from tasks import lifecycle
from tasks.models import Alert

QUEUE = "alerts"
MAIL = "alert.mail"
WEBHOOK = "alert.webhook"


def notify(alert: Alert, event: str) -> None:
    """Submit the messages that an alert has `opened` or `closed`, in the caller's transaction."""
    about = {"alert_id": str(alert.pk), "event": event}
    for address in alert.emails:
        lifecycle.submit(MAIL, {**about, "email": address})
    if alert.webhook_url:
        lifecycle.submit(WEBHOOK, about)


def webhook_body(alert: Alert, event: str) -> str:
    """Return the message to a webhook, as JSON."""
    data: dict[str, Any] = {
        "alert_id": str(alert.pk),
        "rule_id": str(alert.rule_id) if alert.rule_id else None,
        "rule": alert.rule_name,
        "condition": alert.condition,
        "subject": alert.subject,
        "sentence": alert.sentence,
        "value": alert.value,
        "latest_value": alert.latest_value,
        "threshold": alert.threshold,
        "opened_at": alert.opened_at,
        "closed_at": alert.closed_at if event == "closed" else None,
        "links": {"self": f"/api/v1/alerts/{alert.pk}"},
    }
    timestamp = alert.closed_at if event == "closed" else alert.opened_at
    return orjson.dumps({"type": f"alert.{event}", "timestamp": timestamp, "data": data}).decode()


def mail_subject(alert: Alert, event: str) -> str:
    """Return the subject line of a mail, without line breaks; it begins with the sender's name."""
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[0] or "Tasks"
    return " ".join(f"[{sender}] {event.capitalize()}: {alert.rule_name}: {alert.subject}".split())


def mail_body(alert: Alert, event: str) -> str:
    """Return the text of a mail."""
    assert alert.opened_at
    lines = [
        alert.sentence,
        "",
        f"Rule:      {alert.rule_name} ({alert.get_condition_display()})",
        f"Opened at: {alert.opened_at:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if event == "closed" and alert.closed_at:
        lines = [
            "The alert is over. When it opened:",
            *lines,
            f"Closed at: {alert.closed_at:%Y-%m-%d %H:%M:%S} UTC",
        ]
    return "\n".join([*lines, f"Alert:     /api/v1/alerts/{alert.pk}", ""])
