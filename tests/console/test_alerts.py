from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from tasks import alerts
from tasks.models import Alert, AlertRule, Task
from tests.console.pages import message, text
from tests.factories import make_task

pytestmark = pytest.mark.django_db

ALERTS = "admin:tasks_alert_changelist"
RULES = "admin:tasks_alertrule_changelist"
ADD = "admin:tasks_alertrule_add"
FIELDS: dict[str, Any] = {
    "name": "Backlog",
    "enabled": "on",
    "condition": "backlog",
    "threshold": "1",
    "queue": "a",
    "kind": "",
    "error_type": "",
    "window_seconds": "900",
    "for_seconds": "0",
    "emails": "",
    "webhook_url": "https://example.com/alerts",
}


@pytest.fixture(autouse=True)
def _no_rules(db: None) -> None:
    """Delete the rules that a migration creates."""
    AlertRule.objects.all().delete()


@pytest.fixture
def rule() -> AlertRule:
    return alerts.create(name="Backlog", condition="backlog", threshold=1, queue="a")


@pytest.fixture
def alert(rule: AlertRule) -> Alert:
    make_task(queue="a")
    alerts.evaluate_due()
    return Alert.objects.get()


def page(rule: AlertRule) -> str:
    return reverse("admin:tasks_alertrule_change", args=[rule.pk])


def test_open_alerts_are_listed_before_closed_ones(viewer, console, rule, alert):
    browser = console(viewer)
    words = text(browser.get(reverse(ALERTS)))
    assert "The queue a has 1 due task. Backlog Open" in words
    assert "No alert has closed yet." in words
    assert "Acknowledge " not in words.replace("Acknowledged", "")
    Task.objects.all().delete()
    AlertRule.objects.update(evaluated_at=None)
    alerts.evaluate_due()
    words = text(browser.get(reverse(ALERTS)))
    assert "No alert is open." in words
    assert "Backlog Closed" in words


def test_the_start_page_names_open_alerts(viewer, console, alert):
    browser = console(viewer)
    for url in ("admin:index", "admin:tasks_overview_now"):
        assert "Open alerts The queue a has 1 due task." in text(browser.get(reverse(url)))
    alerts.acknowledge(alert, name="ada")
    assert "(ada takes care of it)" in text(browser.get(reverse("admin:index")))
    Alert.objects.all().delete()
    assert "Open alerts" not in text(browser.get(reverse("admin:index")))


def test_an_operator_acknowledges_an_alert(operator, viewer, console, alert):
    url = reverse("admin:tasks_alert_acknowledge", args=[alert.pk])
    assert console(viewer).post(url).status_code == 403
    response = console(operator).post(url)
    assert message(response) == "Backlog: a was acknowledged by operator."
    alert.refresh_from_db()
    assert alert.acknowledged_by == "operator"
    assert LogEntry.objects.get().change_message == "Acknowledged."
    assert console(operator).get(url).status_code == 405
    alert.delete()
    assert console(operator).post(url).status_code == 404


def test_an_operator_creates_a_rule(operator, console):
    browser = console(operator)
    assert browser.get(reverse(ADD)).status_code == 200
    assert message(browser.post(reverse(ADD), FIELDS)) == "Backlog was created."
    rule = AlertRule.objects.get()
    assert (rule.condition, rule.threshold, rule.queue) == ("backlog", 1, "a")
    assert (rule.webhook_url, rule.emails) == ("https://example.com/alerts", [])
    assert LogEntry.objects.get().is_addition()
    words = text(browser.get(reverse(RULES)))
    assert "Backlog Enabled Backlog of a queue 1 tasks, queue a 1 0" in words


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": ""}, "This field is required."),
        ({"threshold": ""}, "A number is needed (tasks)."),
        ({"threshold": "nan"}, "Enter a number."),
        ({"condition": "no.such"}, "Select a valid choice"),
        ({"kind": "text.analyze"}, "The condition backlog has no such filter."),
        ({"webhook_url": "http://localhost/"}, "Must be https, on port 443 or 8443."),
        ({"emails": "ops@example.com\nnobody"}, "Line 2: This is not an e-mail address."),
        ({"window_seconds": "5"}, "Must be 60 to 3,600."),
    ],
)
def test_an_invalid_rule_is_refused_at_its_field(operator, console, settings, changes, error):
    settings.EMAIL_HOST = "mail.example.com"
    response = console(operator).post(reverse(ADD), FIELDS | changes)
    assert error in text(response)
    assert not AlertRule.objects.exists()


def test_an_operator_changes_a_rule(operator, console, settings, rule):
    settings.EMAIL_HOST = "mail.example.com"
    browser = console(operator)
    assert 'value="1"' in browser.get(page(rule)).content.decode()
    changed = FIELDS | {"threshold": "2.5", "emails": "a@example.com\r\nb@example.com"}
    assert message(browser.post(page(rule), changed)) == "Backlog was changed."
    rule.refresh_from_db()
    assert (rule.threshold, rule.emails) == (2.5, ["a@example.com", "b@example.com"])
    assert LogEntry.objects.get().change_message == "Changed: threshold, emails, webhook_url."


def test_an_operator_mutes_and_unmutes_a_rule(operator, console, rule):
    browser = console(operator)
    url = reverse("admin:tasks_alertrule_mute", args=[rule.pk])
    assert message(browser.post(url, {"seconds": "3600"})) == "Backlog is muted for 1 hour."
    assert "Enabled Muted" in text(browser.get(page(rule)))
    assert message(browser.post(url, {"seconds": "0"})) == "Backlog is not muted."
    assert AlertRule.objects.get().muted_until is None
    assert browser.post(url, {"seconds": "5"}).status_code == 404
    assert browser.get(url).status_code == 405


def test_an_operator_deletes_a_rule_after_confirmation(operator, console, alert, rule):
    browser = console(operator)
    url = reverse("admin:tasks_alertrule_delete", args=[rule.pk])
    assert "Delete Backlog?" in text(browser.get(url))
    assert message(browser.post(url)) == "Backlog was deleted."
    assert not AlertRule.objects.exists()
    assert "Backlog (deleted) Closed" in text(browser.get(reverse(ALERTS)))


def test_a_viewer_sees_rules_and_changes_nothing(viewer, console, rule):
    browser = console(viewer)
    assert "New rule" not in text(browser.get(reverse(RULES)))
    shown = browser.get(page(rule))
    assert "Save" not in text(shown)
    assert "Mute for" not in text(shown)
    assert browser.get(reverse(ADD)).status_code == 403
    assert browser.post(page(rule), FIELDS | {"threshold": "5"}).status_code == 403
    mute = reverse("admin:tasks_alertrule_mute", args=[rule.pk])
    assert browser.post(mute, {"seconds": "3600"}).status_code == 403
    delete = reverse("admin:tasks_alertrule_delete", args=[rule.pk])
    assert browser.post(delete).status_code == 403
    rule.refresh_from_db()
    assert (rule.threshold, rule.muted_until) == (1, None)


def test_the_names_on_the_screens_are_escaped(operator, console, alert):
    attack = "<script>alert(1)</script>\"'><img src=x>"
    Alert.objects.update(sentence=attack, rule_name=attack, acknowledged_by=attack)
    AlertRule.objects.update(name=attack, last_error=attack)
    browser = console(operator)
    for url in (reverse("admin:index"), reverse(ALERTS), reverse(RULES), page(alert.rule)):
        assert "<script>alert" not in browser.get(url).content.decode()
