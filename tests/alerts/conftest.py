from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from tasks import alerts
from tasks.callbacks import host_limits
from tasks.models import AlertRule, Task
from tests.alerts.mail_server import MailServer, mail_server
from tests.callbacks import receiver as receivers
from tests.callbacks.receiver import Receiver
from tests.factories import make_task

WEBHOOK = "https://example.com/alerts"


@pytest.fixture(autouse=True)
def _no_rules(request: pytest.FixtureRequest) -> None:
    """Delete the rules that a migration creates."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        AlertRule.objects.all().delete()


@pytest.fixture
def mails(settings: Any) -> Iterator[MailServer]:
    """Return a running mail server that the settings name."""
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Return a running receiver that webhooks may reach."""
    settings.CALLBACK_ALLOW_PRIVATE = True
    host_limits.reset()
    with receivers.receiver() as running:
        yield running


@pytest.fixture
def rule(db: None) -> Callable[..., AlertRule]:
    """Return a maker of rules that open at once."""

    def make(condition: str, **values: Any) -> AlertRule:
        return alerts.create(**{"name": condition, "condition": condition, **values})

    return make


@pytest.fixture
def backlog(rule: Callable[..., AlertRule]) -> AlertRule:
    """Return a rule with a webhook, and a queue that it reports."""
    make_task(queue="a")
    return rule("backlog", threshold=1, webhook_url=WEBHOOK, queue="a")


def evaluate() -> int:
    """Evaluate every rule now."""
    with connection.cursor() as cursor:
        # A round that follows at once finds its own evaluation too young.
        cursor.execute("UPDATE tasks_alertrule SET evaluated_at = NULL")
    return alerts.evaluate_due()


def messages() -> list[str]:
    """Return the events of the messages submitted so far."""
    return list(
        Task.objects.filter(queue="alerts").order_by("id").values_list("input__event", flat=True)
    )
