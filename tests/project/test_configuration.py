"""Configuration: the files that list settings agree with the code that reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from taskproject import settings
from taskproject.misspelt import CONTAINERS
from tests.project.conftest import ROOT
from tests.project.settings_file import plain, settings_of

PROFILES = sorted((ROOT / "deploy" / "profiles").glob("*.env"))


def names_in(path: Path) -> set[str]:
    """Return the names that an env file sets or offers."""
    return set(re.findall(r"^(?:# )?([A-Z_]+)=", path.read_text(), re.MULTILINE))


def names_read() -> set[str]:
    """Return the names that the settings read from the environment."""
    return set(settings.env.types)


def names_in_compose() -> set[str]:
    """Return the names that docker-compose.yml takes from the environment."""
    text = (ROOT / "docker-compose.yml").read_text()
    passed_on = re.findall(r"^ +([A-Z_]+):$", text, re.MULTILINE)
    return {*re.findall(r"\$\{([A-Z_]+)", text), *passed_on}


def test_the_example_holds_the_defaults() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    set_there = dict(line.split("=", 1) for line in lines if re.match("[A-Z_]+=", line))
    assert plain(settings_of(set_there)) == plain(settings_of({}))


@pytest.mark.parametrize(
    ("environment", "is_open"),
    [
        ({}, True),
        ({"HOST": "::1"}, True),
        ({"ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]", "HTTPS": "false"}, True),
        ({"DEBUG": "true"}, True),
        ({"API_ALLOW_ANONYMOUS": "false"}, False),
        ({"API_ALLOW_ANONYMOUS": "true"}, False),
        ({"HOST": "0.0.0.0"}, False),
        ({"HOST": "10.0.0.1"}, False),
        ({"ALLOWED_HOSTS": "localhost,tasks.example.com"}, False),
        ({"ALLOWED_HOSTS": "*"}, False),
        ({"HTTPS": "true"}, False),
        ({"SECRET_KEY": "q7Zr1vXw9LkT4mNs8HpB2dYc6GfJ3uEa5tRo"}, False),
        ({"DATABASE_URL": "postgres://a:b@127.0.0.1/c"}, False),
        ({"CSRF_TRUSTED_ORIGINS": "https://tasks.example.com"}, False),
    ],
)
def test_an_installation_is_open_to_its_machine_while_no_setting_is_for_others(
    environment: dict[str, str], is_open: bool, tmp_path: Path
) -> None:
    read = settings_of({"SECRET_KEY": "", "DATA_DIR": str(tmp_path), **environment})
    assert read["API_OPEN_TO_THIS_MACHINE"] is is_open
    assert read["API_ALLOW_ANONYMOUS"] is (environment.get("API_ALLOW_ANONYMOUS") == "true")


def test_every_setting_is_in_the_example() -> None:
    other_spellings = {name for name in names_read() if name.startswith("CELERY_")}
    assert names_read() - names_in(ROOT / ".env.example") == other_spellings
    text = (ROOT / ".env.example").read_text()
    assert all(re.search(rf"\b{name}\b", text) for name in other_spellings)


def test_every_setting_of_the_containers_is_in_the_example() -> None:
    # PGPASSWORD is libpq's name, by which the containers get POSTGRES_PASSWORD.
    assert names_in_compose() - names_in(ROOT / ".env.example") <= {"PGPASSWORD"}


def test_the_settings_of_the_containers_alone_are_known_as_names() -> None:
    assert set(CONTAINERS) == names_in_compose() - names_read() - {"PGPASSWORD"}


def test_every_setting_in_the_example_is_read() -> None:
    assert names_in(ROOT / ".env.example") <= names_read() | names_in_compose()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_profile_sets_only_what_the_containers_take(profile: Path) -> None:
    assert names_in(profile) <= names_in_compose()


def test_there_are_four_profiles() -> None:
    stems = [path.stem for path in PROFILES]
    assert stems == ["development", "high-throughput", "memory-constrained", "production"]


def test_the_containers_start_in_order() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    monitoring = {name for name in services if services[name].get("profiles") == ["monitoring"]}
    assert monitoring == {"prometheus", "alertmanager", "grafana"}
    assert set(services) - monitoring == {"postgres", "migrate", "web", "worker", "reset"}
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("web", "worker", "reset"):
        condition = services[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"
    assert services["reset"]["profiles"] == ["tools"]
