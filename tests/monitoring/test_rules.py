"""Prometheus' configuration and rules, as promtool checks them, and the runbooks of alerts."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.monitoring.files import MONITORING, RULES, alerts, expressions
from tests.workers import ROOT

PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
UNIT_TESTS = MONITORING / "tests" / "tasks_test.yml"


def promtool(*arguments: object) -> str:
    command = [PROMTOOL, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=MONITORING)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@needs_promtool
def test_the_configuration_is_valid(tmp_path: Path) -> None:
    token = tmp_path / "metrics_token"
    token.write_text("s3cret")
    config = (MONITORING / "prometheus.yml").read_text()
    assert "credentials_file: /prometheus/metrics_token" in config
    copy = tmp_path / "prometheus.yml"
    copy.write_text(config.replace("/prometheus/metrics_token", str(token)))
    shutil.copytree(MONITORING / "rules", tmp_path / "rules")
    assert "rules found" in promtool("check", "config", copy)


@needs_promtool
def test_the_rules_are_valid_and_do_what_their_unit_tests_say() -> None:
    promtool("check", "rules", *RULES)
    promtool("test", "rules", UNIT_TESTS)


@needs_promtool
def test_every_expression_of_a_panel_is_valid(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.text}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)


def test_every_alert_fires_and_stays_silent_in_a_unit_test() -> None:
    tests = yaml.safe_load(UNIT_TESTS.read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {alert["alert"] for alert in alerts()}
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fires == silent == names


def test_every_alert_has_a_section_in_the_runbooks() -> None:
    text = (ROOT / "docs" / "operate" / "runbooks.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    titles = [section.split("\n", 1)[0] for section in sections]
    assert titles == [alert["alert"] for alert in alerts()]
    for section, alert in zip(sections, alerts(), strict=True):
        anchor = f"docs/operate/runbooks.md#{alert['alert'].lower()}"
        assert alert["annotations"]["runbook_url"] == anchor
        for part in ("**What it means.**", "**Look here.**", "**Do this.**"):
            assert part in section, alert["alert"]


def test_the_example_for_alertmanager_routes_to_receivers_that_exist() -> None:
    config = yaml.safe_load((MONITORING / "alertmanager.yml").read_text())
    receivers = {receiver["name"] for receiver in config["receivers"]}
    routes = [config["route"], *config["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers
