"""Messages about alerts: what a mailbox and a webhook get, and that they get it once."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook

from tasks.alerts.kind import call_webhook, send_mail
from tasks.callbacks.host_limits import host_slot
from tasks.callbacks.signed_post import Undelivered
from tasks.callbacks.signing import alert_secrets, secrets_of
from tasks.kinds import Cancel, FatalError
from tasks.models import Alert, AlertRule, Attempt, Status, Task, Worker
from tasks.worker.overdue_alerts import send_overdue
from tests.alerts.conftest import evaluate
from tests.alerts.mail_server import MailServer
from tests.callbacks.receiver import Receiver
from tests.factories import make_context, make_task
from tests.queue_rows import execute
from tests.waiting import wait_until
from tests.workers import WorkerCommand

pytestmark = pytest.mark.django_db(transaction=True)

Rule = Callable[..., AlertRule]


def open_and_close() -> Alert:
    """Let an incident of the queue `a` begin and end; return its alert."""
    task = make_task(queue="a")
    evaluate()
    task.delete()
    evaluate()
    return Alert.objects.get()


def messages(*statuses: str) -> int:
    return Task.objects.filter(queue="alerts", status__in=statuses).count()


def test_a_webhook_gets_one_signed_message_for_each_event(rule: Rule, receiver: Receiver) -> None:
    made = rule("backlog", threshold=1, queue="a", webhook_url=receiver.url("/204"))
    alert = open_and_close()
    assert send_overdue(older_than=0) == 2
    assert send_overdue(older_than=0) == 0
    (secret,) = alert_secrets()
    opened, closed = (
        Webhook(secret).verify(request.body, request.headers) for request in receiver.received
    )
    assert opened == {
        "type": "alert.opened",
        "timestamp": alert.opened_at and alert.opened_at.isoformat(),
        "data": {
            "alert_id": str(alert.pk),
            "rule_id": str(made.pk),
            "rule": "backlog",
            "condition": "backlog",
            "subject": "a",
            "sentence": "The queue a has 1 due task.",
            "value": 1.0,
            "latest_value": 1.0,
            "threshold": 1.0,
            "opened_at": alert.opened_at and alert.opened_at.isoformat(),
            "closed_at": None,
            "links": {"self": f"/api/v1/alerts/{alert.pk}"},
        },
    }
    closing = alert.closed_at and alert.closed_at.isoformat()
    assert (closed["type"], closed["timestamp"]) == ("alert.closed", closing)
    assert closed["data"]["closed_at"] == closing
    ids = {request.id for request in receiver.received}
    assert ids == {str(task.pk) for task in Task.objects.filter(kind="alert.webhook")}
    assert messages(Status.COMPLETED) == 2
    assert not Worker.objects.exists()


def test_messages_about_alerts_have_a_secret_of_their_own() -> None:
    assert set(alert_secrets()).isdisjoint({*secrets_of(None), *secrets_of(1)})


def test_each_address_gets_one_mail_for_each_event(rule: Rule, mails: MailServer) -> None:
    rule("backlog", threshold=1, queue="a", emails=["ops@example.com", "dev@example.com"])
    alert = open_and_close()
    assert send_overdue(older_than=0) == 4
    received = [(recipients, str(mail["Subject"])) for recipients, mail in mails.accepted]
    assert received == [
        (["ops@example.com"], "[Tasks] Opened: backlog: a"),
        (["dev@example.com"], "[Tasks] Opened: backlog: a"),
        (["ops@example.com"], "[Tasks] Closed: backlog: a"),
        (["dev@example.com"], "[Tasks] Closed: backlog: a"),
    ]
    _, mail = mails.accepted[0]
    first = Task.objects.filter(kind="alert.mail").order_by("id")[0]
    assert mail["From"] == "tasks@localhost"
    assert mail["Message-ID"] == f"<{first.pk}@localhost>"
    assert alert.opened_at
    assert mail.get_content().splitlines() == [
        "The queue a has 1 due task.",
        "",
        "Rule:      backlog (Backlog of a queue)",
        f"Opened at: {alert.opened_at:%Y-%m-%d %H:%M:%S} UTC",
        f"Alert:     /api/v1/alerts/{alert.pk}",
    ]


def test_the_name_of_the_sender_begins_the_subject(
    rule: Rule, mails: MailServer, settings: Any
) -> None:
    settings.DEFAULT_FROM_EMAIL = '"Köln, production" <tasks@example.com>'
    rule("backlog", threshold=1, queue="a", emails=["ops@example.com"])
    open_and_close()
    assert send_overdue(older_than=0) == 2
    _, mail = mails.accepted[0]
    assert mail["Subject"] == "[Köln, production] Opened: backlog: a"
    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Köln, production", "tasks@example.com")
    first = Task.objects.filter(kind="alert.mail").order_by("id")[0]
    assert mail["Message-ID"] == f"<{first.pk}@example.com>"


def test_a_refused_mail_is_tried_again_without_a_second_one_to_others(
    rule: Rule, mails: MailServer
) -> None:
    mails.answers = ["451 later", "250 OK"]
    rule("backlog", threshold=1, queue="a", emails=["busy@example.com", "dev@example.com"])
    make_task(queue="a")
    evaluate()
    send_overdue(older_than=0)
    assert [to for to, _ in mails.accepted] == [["dev@example.com"]]
    failed = Attempt.objects.get()
    assert failed.error["detail"] == (
        "The mail server did not accept the message (SMTPRecipientsRefused)."
    )
    assert failed.worker.startswith("alerts ")
    execute("UPDATE procrastinate_jobs SET scheduled_at = now()")
    execute("UPDATE tasks_task SET scheduled_at = now() WHERE scheduled_at IS NOT NULL")
    send_overdue(older_than=0)
    assert [to for to, _ in mails.accepted] == [["dev@example.com"], ["busy@example.com"]]


def test_a_message_to_a_busy_receiver_waits_seconds_and_uses_no_attempt(
    rule: Rule, receiver: Receiver
) -> None:
    rule("backlog", threshold=1, queue="a", webhook_url=receiver.url())
    make_task(queue="a")
    evaluate()
    with ExitStack() as calls:
        for _ in range(settings.WORKER_CONCURRENCY // 2):
            calls.enter_context(host_slot(AlertRule.objects.get().webhook_url.split("/")[2]))
        assert send_overdue(older_than=0) == 1
    message = Task.objects.get(queue="alerts")
    assert (message.status, message.attempt) == (Status.PENDING, 0)
    assert message.scheduled_at is not None
    assert message.scheduled_at < timezone.now() + dt.timedelta(seconds=3)
    assert not receiver.received
    execute("UPDATE procrastinate_jobs SET scheduled_at = now()")
    execute("UPDATE tasks_task SET scheduled_at = now() WHERE scheduled_at IS NOT NULL")
    assert send_overdue(older_than=0) == 1
    assert len(receiver.received) == 1


def test_a_message_is_left_to_the_workers_for_a_while(rule: Rule, receiver: Receiver) -> None:
    rule("backlog", threshold=1, queue="a", webhook_url=receiver.url())
    make_task(queue="a")
    evaluate()
    assert send_overdue() == 0
    execute("UPDATE tasks_task SET created_at = now() - interval '10 seconds'")
    assert send_overdue() == 1


def test_concurrent_senders_send_each_message_once(rule: Rule, receiver: Receiver) -> None:
    rule("backlog", threshold=1, webhook_url=receiver.url())
    for queue in "abcdef":
        make_task(queue=queue)
    evaluate()
    ready = threading.Barrier(3)

    def run() -> None:
        ready.wait()
        send_overdue(older_than=0)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subjects = [request.message["data"]["subject"] for request in receiver.received]
    assert sorted(subjects) == list("abcdef")
    assert messages(Status.COMPLETED) == 6


def test_a_message_that_was_not_recorded_waits_as_before(rule: Rule, receiver: Receiver) -> None:
    rule("backlog", threshold=1, queue="a", webhook_url=receiver.url("/silent"))
    make_task(queue="a")
    evaluate()

    def run() -> None:
        with pytest.raises(Exception, match="terminating connection"):
            send_overdue(older_than=0)
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: receiver.received)
    # To other sessions the message waits, and no worker is to be seen.
    assert messages(Status.PENDING) == 1
    assert not Worker.objects.exists()
    execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'worker alerts' AND datname = current_database()"
    )
    receiver.ended.set()
    thread.join()
    assert messages(Status.PENDING) == 1
    assert not Attempt.objects.exists()


def test_workers_send_each_message_once(
    rule: Rule, mails: MailServer, receiver: Receiver, worker: Callable[..., WorkerCommand]
) -> None:
    rule(
        "backlog", threshold=1, queue="a",
        emails=["ops@example.com"], webhook_url=receiver.url("/200"),
    )  # fmt: skip
    open_and_close()
    worker(CALLBACK_ALLOW_PRIVATE="true", EMAIL_URL=f"smtp://127.0.0.1:{mails.port}")
    wait_until(lambda: messages(Status.COMPLETED) == 4)
    assert len(mails.accepted) == 2
    # Both wait at once, so either may be sent first.
    events = sorted(request.message["type"] for request in receiver.received)
    assert events == ["alert.closed", "alert.opened"]


def test_a_client_cannot_make_the_engine_report_an_alert(
    rule: Rule, receiver: Receiver, mails: MailServer, user: Any
) -> None:
    rule("backlog", threshold=1, queue="a", webhook_url=receiver.url())
    make_task(queue="a")
    evaluate()
    alert = Alert.objects.get()
    opened = {"alert_id": str(alert.pk), "event": "opened"}
    with pytest.raises(Cancel):
        call_webhook(opened, make_context(owner_id=user.pk))
    for handler, input in (
        # It has not closed, has no such address, or does not exist.
        (call_webhook, {**opened, "event": "closed"}),
        (send_mail, {**opened, "email": "victim@example.com"}),
        (call_webhook, {**opened, "alert_id": str(uuid4())}),
    ):
        with pytest.raises(Cancel):
            handler(input, make_context())
    assert receiver.received == []
    assert mails.accepted == []


def test_an_answer_decides_as_for_callbacks(rule: Rule, receiver: Receiver, settings: Any) -> None:
    rule("backlog", threshold=1, queue="a", webhook_url=receiver.url())
    make_task(queue="a")
    evaluate()
    opened = {"alert_id": str(Alert.objects.get().pk), "event": "opened"}
    receiver.answers = ["500 No", "410 Gone", "204 Yes"]
    with pytest.raises(Undelivered, match="answered 500"):
        call_webhook(opened, make_context())
    with pytest.raises(Cancel, match="answered 410"):
        call_webhook(opened, make_context())
    assert call_webhook(opened, make_context()) == {"status_code": 204}
    settings.CALLBACK_ALLOW_PRIVATE = False
    with pytest.raises(FatalError):
        call_webhook(opened, make_context())


def test_mail_waits_for_a_mail_server(rule: Rule, mails: MailServer, settings: Any) -> None:
    rule("backlog", threshold=1, queue="a", emails=["ops@example.com"])
    make_task(queue="a")
    evaluate()
    input = Task.objects.get(kind="alert.mail").input
    settings.EMAIL_HOST = ""
    with pytest.raises(Undelivered, match="EMAIL_URL is empty"):
        send_mail(input, make_context())
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    with pytest.raises(Undelivered, match="ConnectionRefusedError"):
        send_mail(input, make_context())
