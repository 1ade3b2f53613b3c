"""The files of `deploy/monitoring/`, and the expressions in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.workers import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yml"))
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
# Grafana's own variables, as Prometheus would get them.
_VARIABLES = {"$__rate_interval": "1m", "$__range": "1h"}
_KEYWORDS = r"(?:by|without|on|ignoring|group_left|group_right)"
_METRIC = r"\b((?:tasks_|up\b)\w*)(?:\{([^}]*)\})?"


@dataclass(frozen=True)
class Expression:
    """One expression, the place where it stands, and the legend of its series."""

    place: str
    text: str
    legend: str = ""

    def metrics(self) -> list[tuple[str, set[str]]]:
        """Return the metrics that it names, each with the labels that it selects by."""
        return [
            (name, set(re.findall(r"(\w+)\s*(?:=|!)", selector)))
            for name, selector in re.findall(_METRIC, self.text)
        ]

    def grouping_labels(self) -> set[str]:
        """Return the labels that it groups or joins by, or shows in its legend."""
        lists = re.findall(rf"{_KEYWORDS}\s*\(([^)]*)\)", self.text)
        names = {name.strip() for names in lists for name in names.split(",")}
        return names | set(re.findall(r"\{\{(\w+)\}\}", self.legend))


def alerts() -> list[dict[str, Any]]:
    """Return the alerts of all files."""
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[Expression]:
    """Yield the expressions of all alerts, panels and variables."""
    for alert in alerts():
        shown = " ".join(alert["annotations"].values())
        legend = " ".join(f"{{{{{name}}}}}" for name in re.findall(r"\$labels\.(\w+)", shown))
        yield Expression(alert["alert"], alert["expr"], legend)
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                place = f"{file.stem}: {panel['title']}"
                yield Expression(place, plain(target["expr"]), target["legendFormat"])
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                call = r"label_values\((.+), (\w+)\)"
                match = re.fullmatch(call, plain(variable["query"]["query"]))
                assert match, variable
                place = f"{file.stem}: variable {variable['name']}"
                yield Expression(place, match[1], f"{{{{{match[2]}}}}}")


def plain(expression: str) -> str:
    """Return an expression of Grafana with its variables replaced."""
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return re.sub(r"\$(\w+)", r"any_\1", expression)
