from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from tasks import alerts
from tasks.callbacks.signing import alert_secrets
from tasks.models import Alert, AlertRule, Task
from tests.api.described import described, fields, post
from tests.factories import make_task

pytestmark = pytest.mark.django_db

ALERTS = "/api/v1/alerts/"
RULES = "/api/v1/alerts/rules/"
RULE: dict[str, Any] = {
    "name": "Backlog",
    "condition": "backlog",
    "queue": "a",
    "threshold": 1,
    "for_seconds": 0,
    "webhook_url": "https://example.com/alerts",
}


@pytest.fixture(autouse=True)
def _no_rules(db: None) -> None:
    """Delete the rules that a migration creates."""
    AlertRule.objects.all().delete()


@pytest.fixture
def ops(api_for: Callable[[User], APIClient], operator: User) -> APIClient:
    """Return an operator's client."""
    return api_for(operator)


@pytest.fixture
def incident(ops: APIClient) -> Alert:
    """Return the open alert of a queue."""
    make_task(queue="a")
    post(ops, RULES, RULE)
    alerts.evaluate_due()
    return Alert.objects.get()


def patch(api: APIClient, path: str, body: Any) -> Any:
    """Send changes."""
    return api.patch(path, orjson.dumps(body).decode(), content_type="application/json")


def test_a_rule_is_created_and_shown(ops: APIClient) -> None:
    response = post(ops, RULES, RULE)
    created = described(response)
    assert response.status_code == 201
    assert response["Location"] == created["links"]["self"]
    assert {name: created[name] for name in RULE} == RULE
    assert (created["enabled"], created["kind"], created["emails"]) == (True, None, [])
    assert (created["muted_until"], created["evaluated_at"]) == (None, None)
    assert described(ops.get(created["links"]["self"])) == created
    assert [rule["name"] for rule in described(ops.get(RULES))["results"]] == ["Backlog"]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"condition": "no_such"}, {"condition"}),
        ({"name": ""}, {"name"}),
        ({"name": "a\nb"}, {"name"}),
        ({"threshold": None}, {"threshold"}),
        ({"threshold": 0}, {"threshold"}),
        ({"threshold": "many"}, {"threshold"}),
        ({"threshold": 1e300}, {"threshold"}),
        ({"kind": "text.analyze", "error_type": "E"}, {"kind", "error_type"}),
        ({"queue": "no queue"}, {"queue"}),
        ({"condition": "no_worker"}, {"threshold"}),
        ({"condition": "circuit_open", "threshold": None}, {"queue"}),
        ({"for_seconds": -1, "window_seconds": 1}, {"for_seconds", "window_seconds"}),
        ({"for_seconds": 1.5}, {"for_seconds"}),
        ({"webhook_url": "http://127.0.0.1/"}, {"webhook_url"}),
        ({"webhook_url": "https://example.com/ x"}, {"webhook_url"}),
        ({"emails": ["ops@example.com"]}, {"emails"}),
        ({"emails": "ops@example.com"}, {"emails"}),
        ({"enabled": 1, "unknown": 2}, {"enabled", "unknown"}),
    ],
)
def test_an_invalid_rule_is_refused_by_field(
    ops: APIClient, settings: Any, values: dict[str, Any], names: set[str]
) -> None:
    settings.EMAIL_HOST = ""
    assert set(fields(post(ops, RULES, {**RULE, **values}))) == names
    assert not AlertRule.objects.exists()


def test_the_addresses_of_a_rule_are_checked(ops: APIClient, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example.com"
    mails = {**RULE, "emails": ["ops@example.com", "nobody", "a@b.example\r\nBcc: c@d.example"]}
    assert set(fields(post(ops, RULES, mails))) == {"emails.1", "emails.2"}
    twice = {**RULE, "emails": ["ops@example.com"] * 2}
    assert fields(post(ops, RULES, twice)) == {"emails": "An address occurs twice."}
    assert post(ops, RULES, {**RULE, "emails": ["ops@example.com"]}).status_code == 201


def test_two_rules_cannot_have_the_same_name(ops: APIClient) -> None:
    post(ops, RULES, RULE)
    assert fields(post(ops, RULES, RULE)) == {"name": "A rule with this name already exists."}


def test_only_the_given_fields_of_a_rule_are_changed(ops: APIClient) -> None:
    path = post(ops, RULES, RULE).json()["links"]["self"]
    changed = described(patch(ops, path, {"threshold": 5, "queue": None, "webhook_url": None}))
    assert (changed["threshold"], changed["queue"], changed["webhook_url"]) == (5, None, None)
    assert (changed["name"], changed["condition"]) == ("Backlog", "backlog")
    assert set(fields(patch(ops, path, {"condition": "schedule_late", "threshold": 0}))) == {
        "threshold"
    }
    assert patch(ops, path, {}).status_code == 400
    assert described(ops.get(path)) == changed


def test_a_deleted_rule_is_not_found_and_its_alerts_stay(ops: APIClient, incident: Alert) -> None:
    path = f"{RULES}{incident.rule_id}"
    assert ops.delete(path).status_code == 204
    for response in (ops.get(path), ops.delete(path), patch(ops, path, {"threshold": 2})):
        assert response.status_code == 404
    assert post(ops, f"{path}/unmute").status_code == 404
    shown = described(ops.get(f"{ALERTS}{incident.pk}"))
    assert (shown["state"], shown["rule_id"], shown["rule"]) == ("closed", None, "Backlog")


def test_a_rule_is_muted_for_a_time_or_until_a_time(ops: APIClient) -> None:
    path = post(ops, RULES, RULE).json()["links"]["self"]
    muted = described(post(ops, f"{path}/mute", {"seconds": 3_600}))["muted_until"]
    left = dt.datetime.fromisoformat(muted) - timezone.now()
    assert 3_500 < left.total_seconds() <= 3_600
    until = (timezone.now() + dt.timedelta(days=2)).replace(microsecond=0)
    muted = described(post(ops, f"{path}/mute", {"until": until.isoformat()}))["muted_until"]
    assert dt.datetime.fromisoformat(muted) == until
    assert described(post(ops, f"{path}/unmute"))["muted_until"] is None


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"until": "2030-01-01T00:00:00"}, "until"),
        ({"until": "9999-12-31T23:59:59Z"}, "until"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 10**12}, "seconds"),
        ({"minutes": 5}, "minutes"),
    ],
)
def test_an_invalid_mute_is_refused_by_field(
    ops: APIClient, body: dict[str, Any], name: str
) -> None:
    path = post(ops, RULES, RULE).json()["links"]["self"]
    assert set(fields(post(ops, f"{path}/mute", body))) == {name}
    assert post(ops, f"{path}/mute", {}).status_code == 400
    both = {"seconds": 5, "until": "2030-01-01T00:00:00Z"}
    assert post(ops, f"{path}/mute", both).status_code == 400
    assert AlertRule.objects.get().muted_until is None


def test_an_alert_is_listed_shown_and_acknowledged(ops: APIClient, incident: Alert) -> None:
    (listed,) = described(ops.get(ALERTS))["results"]
    assert (listed["state"], listed["subject"], listed["value"]) == ("open", "a", 1)
    assert listed["sentence"] == "The queue a has 1 due task."
    assert listed["acknowledged_by"] is None
    assert described(ops.get(listed["links"]["self"])) == listed
    acknowledged = described(post(ops, listed["links"]["acknowledge"]))
    assert acknowledged["acknowledged_by"] == "operator"
    assert described(post(ops, listed["links"]["acknowledge"])) == acknowledged
    assert post(ops, listed["links"]["acknowledge"], {"name": "x"}).status_code == 400


def test_alerts_are_filtered_by_state_and_rule(ops: APIClient, incident: Alert) -> None:
    def ids(**query: Any) -> list[str]:
        return [alert["alert_id"] for alert in described(ops.get(ALERTS, query))["results"]]

    assert ids(state="open") == ids(rule=incident.rule_id) == [str(incident.pk)]
    assert ids(state="closed") == ids(rule=uuid.uuid4()) == []
    Task.objects.all().delete()
    AlertRule.objects.update(evaluated_at=None)
    alerts.evaluate_due()
    assert ids(state="closed") == [str(incident.pk)]
    assert ids(state="open") == []
    for query in ({"state": "new"}, {"rule": "x"}, {"status": "open"}, {"state": ""}):
        assert ops.get(ALERTS, query).status_code == 400


def test_a_condition_that_is_not_true_for_long_enough_is_no_alert_yet(ops: APIClient) -> None:
    make_task(queue="a")
    post(ops, RULES, {**RULE, "for_seconds": 60})
    alerts.evaluate_due()
    assert described(ops.get(ALERTS))["results"] == []
    assert ops.get(f"{ALERTS}{Alert.objects.get().pk}").status_code == 404


def test_operators_get_the_secrets_of_messages(ops: APIClient) -> None:
    response = ops.get(f"{ALERTS}secrets")
    assert described(response) == {"secrets": alert_secrets()}
    assert response["Cache-Control"] == "no-store"


def test_only_operators_use_alerts(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, viewer: User, incident: Alert
) -> None:
    rule, alert = f"{RULES}{incident.rule_id}", f"{ALERTS}{incident.pk}"
    for caller, status in ((api, 401), (api_for(user), 403), (api_for(viewer), 403)):
        responses = [
            *(caller.get(path) for path in (ALERTS, RULES, rule, alert, f"{ALERTS}secrets")),
            caller.delete(rule), patch(caller, rule, {}), post(caller, RULES, RULE),
            *(post(caller, f"{rule}/{action}") for action in ("mute", "unmute")),
            post(caller, f"{alert}/acknowledge"),
        ]  # fmt: skip
        assert {response.status_code for response in responses} == {status}
    incident.refresh_from_db()
    assert incident.acknowledged_by == ""
    assert AlertRule.objects.count() == 1


def test_the_open_alerts_are_a_metric(ops: APIClient, incident: Alert, settings: Any) -> None:
    post(ops, RULES, {**RULE, "name": "Quiet", "threshold": 100})
    settings.METRICS_TOKEN = "scraper"
    text = APIClient().get("/metrics", headers={"Authorization": "Bearer scraper"}).content.decode()
    assert 'tasks_alerts_open{rule="Backlog"} 1.0' in text
    assert 'tasks_alerts_open{rule="Quiet"} 0.0' in text


def test_a_new_installation_has_rules_without_receivers(db: None) -> None:
    migration = import_module("tasks.migrations.0024_alerts")
    migration.make_rules(apps, SimpleNamespace(connection=connection))
    rules = AlertRule.objects.all()
    assert {"no_worker", "backlog", "task_failed"} <= {rule.condition for rule in rules}
    assert not any(rule.has_receivers for rule in rules)
    for rule in rules:
        # Each is valid for the interfaces too.
        alerts.change(rule, name=f"{rule.name} *")
