"""The engine's own kinds `alert.mail` and `alert.webhook`: messages about alerts."""

from __future__ import annotations

import random
import smtplib
import ssl
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage

from tasks.alerts.notifications import MAIL, QUEUE, WEBHOOK, mail_body, mail_subject, webhook_body
from tasks.callback_address import Receiver, Refused
from tasks.callbacks.host_limits import HostBusy, HostDown
from tasks.callbacks.retry_schedule import SCHEDULE
from tasks.callbacks.signed_post import Undelivered, judged, send
from tasks.callbacks.signing import alert_secrets
from tasks.kinds import Cancel, Context, FatalError, Snooze, kind
from tasks.models import Alert

_ABOUT = {
    "alert_id": {"type": "string", "format": "uuid"},
    "event": {"enum": ["opened", "closed"]},
}
_HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
_OPTIONS: dict[str, Any] = {
    "queue": QUEUE,
    "retry": SCHEDULE,
    "soft_time_limit": 50,
    "time_limit": 60,
}


@kind(
    MAIL,
    input={
        **_HEAD,
        "properties": {**_ABOUT, "email": {"type": "string"}},
        "required": ["alert_id", "event", "email"],
        "additionalProperties": False,
    },
    **_OPTIONS,
)
def send_mail(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Notify an e-mail address that an alert has opened or closed."""
    alert, event = _alert(input, context), input["event"]
    if input["email"] not in alert.emails:
        raise Cancel("The alert was not reported to this address.")
    if not settings.EMAIL_HOST:
        raise Undelivered("E-mail is not set up: EMAIL_URL is empty.")
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    mail = EmailMessage(
        subject=mail_subject(alert, event),
        body=mail_body(alert, event),
        to=[input["email"]],
        # The same for every attempt, so that a mailbox can recognise a second copy.
        headers={"Message-ID": f"<{context.task_id}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        mail.send()
    except (smtplib.SMTPException, ssl.SSLError, OSError) as error:
        # The text of an SMTP error may quote the login.
        code = getattr(error, "smtp_code", None)
        reason = type(error).__name__ + (f", {code}" if code else "")
        raise Undelivered(f"The mail server did not accept the message ({reason}).") from None
    return {"sent_to": input["email"]}


@kind(
    WEBHOOK,
    input={
        **_HEAD,
        "properties": _ABOUT,
        "required": ["alert_id", "event"],
        "additionalProperties": False,
    },
    **_OPTIONS,
)
def call_webhook(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Notify a rule's webhook that an alert has opened or closed."""
    alert = _alert(input, context)
    if not alert.webhook_url:
        raise Cancel("The alert was not reported to a webhook.")
    body = webhook_body(alert, input["event"])
    try:
        answer = send(
            Receiver.of(alert.webhook_url),
            body,
            context,
            secrets=alert_secrets(),
            sender="tasks-alerts",
        )
    except Refused as refused:
        raise FatalError(str(refused)) from None
    except HostBusy:
        # Spread, so that they do not all come back at once. It uses no attempt.
        wait = random.uniform(1.0, 3.0)  # noqa: S311 spreads load, guards nothing
        raise Snooze(wait, "Waiting: other messages to the receiver are being sent.") from None
    except HostDown:
        raise Undelivered("Not sent: the receiver has just failed to answer others.") from None
    return judged(answer, context.attempt)


def _alert(input: dict[str, Any], context: Context) -> Alert:
    """Return the alert; raise Cancel for one that was deleted, or for a client's own submission."""
    if context.owner_id is not None:
        raise Cancel("Only the engine reports alerts.")
    alerts = Alert.objects.filter(notified_at__isnull=False)
    if input["event"] == "closed":
        alerts = alerts.filter(closed_at__isnull=False)
    if (alert := alerts.filter(pk=input["alert_id"]).first()) is None:
        raise Cancel("The alert has been deleted, or this has not been reported of it.")
    return alert
