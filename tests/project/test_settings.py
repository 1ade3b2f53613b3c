"""Settings: each is taken as given, or refused with one sentence that names it."""

from __future__ import annotations

import base64
import os
import secrets
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from django.views.debug import get_default_exception_reporter_filter

from taskproject.environment import Environment
from taskproject.secret_settings import secret_key
from tests.project.conftest import ROOT
from tests.project.settings_file import SECRET_KEY, plain, settings_of

# What is not a value of a type: a type that has no line here fails the tests.
INVALID = {
    "boolean": ["ture", "maybe", "enabled", "yess", "2", "$X", "tr ue"],
    "number": ["$X", "abc", "1.5", "-1", "1e3", "٣", "0x10", "9" * 30, "1 # one"],
    "seconds": ["$X", "-1s", "soon", "1d", "inf", "nan", "٣", "9" * 400, "1e3"],
    "seconds_range": ["$X", "soon", "10-5", "-1", "5-", "5--6", "101", "1e3", "nan", "5-10s"],
    "choice": ["chatty", "$LEVEL", "20", "INFO DEBUG"],
    "word": ["two words", "mödel", "a\tb"],
    "api_key": ["sk or", "sk-ö", "sk\nX-Other: 1"],
    "webhook_secret": ["$X", "whsec_", "secret", "whsec_c2hvcnQ=", "whsec_ö"],
    "http_url": [
        "$X", "openrouter.ai", "ftp://a.b", "https://", "http://u:hunter2@a.b", "http://a:x",
        "http://a:0", "http://a:65536", "http://a?b", "http://a#b", "http://a b", "http://ä",
    ],
    "listening_address": [
        "$X", "[::1]", "a b", "http://localhost", "127.0.0.1:80", "ä", "::g",
        "0", "0x10", "0X", "1.5", "127.1", "010.1.1.1", "256.1.1.1", "9" * 20, "a.1", "::1%lo",
    ],
    "allowed_hosts": [
        "$X", "https://a.example", "a.example:443", "*.a.example", "::1", "a b", "ä.example", ",",
    ],
    "trusted_origins": [
        "$X", "a.example", "https://a.example/", "https://u@a.example", "https://a.example:0",
        "ftp://a.example", ",", "https://",
    ],
    "signing_secrets": ["$X", "changeme", "a" * 40, "abcdefgh" * 4, f"{SECRET_KEY},short", ","],
    "secret_key": [
        "x", "$X", "changeme", "a" * 40, "abcabcd" * 6, f"django-insecure-{SECRET_KEY}",
        f"Change-me-{SECRET_KEY}", f"x{' ' * 40}", "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p",
        "abcdefgh" * 4, "12345678901234567890123456789012", "abcdefghijklmnopqrstuvwxyz" * 2,
        "your-secret-key-your-secret-key-1234", "0000000000000000000000000001234567",
        "correct horse battery " * 3, f"{SECRET_KEY}my_secret", f"{SECRET_KEY}-Placeholder",
    ],
    "directory": ["/dev/null", "a\nb", "/" + "a" * 300, "~nosuch/data"],
    "file": ["/nosuch", "/tmp", "$X", "/dev/null/x", "a\x7f", "~/nosuch", "~nosuch/x"],
    "apps": ["nosuch", "$X", "tests.nosuch", "my-app", "tasks", ".tests", ",",
             "tests.script,tests.script", "json", "os", "tests",
             "django.contrib.sites.apps.SitesConfig",
             "tasks.apps.Nosuch", "tasks.apps.settings", "tests.", "nosuch.apps.Config"],
    "database_from_url": ["$X", "foo", "mysql://u:hunter2@a/b", "postgres://", "postgres://host"],
    "email_from_url": [
        "$X", "mail.example.com", "ftp://a", "smtp://", "smtp://u:hunter2@", "smtp://a:x", "smtp://ä",
        "smtp://a:0x", "smtp://a/b", "smtp://a?b=c", "smtp://a b", "smtp://u:a%0Ab@c", "smtp://a:99999",
    ],
    "email_sender": ["$X", "tasks", "@example.com", "a b@example.com", "Tasks <a@>"],
    "cache_from_url": [
        "$X", "nonsense", "foo://user:hunter2@x", "dbcache://", "dbcache://a b", "dbcache://a/b",
        "dbcache://a?max_entries=many", "dbcache://a?max_entry=5", "dbcache://a?timeout=5s",
    ],
}  # fmt: skip
SECRETS = {
    "api_key", "webhook_secret", "signing_secrets", "secret_key", "http_url", "cache_from_url",
    "database_from_url", "email_from_url",
}  # fmt: skip
# The values of a type as they are given, and as they are read.
VALID: dict[str, list[tuple[str, Any]]] = {
    "boolean": [
        *((text, True) for text in ("true", "True", "YES", "on", " 1 ")),
        *((text, False) for text in ("false", "FALSE", "no", "Off", "0")),
    ],
    "number": [],
    "seconds": [("90", 90.0), ("90s", 90.0), ("2m", 120.0), ("1h", 3600.0), ("90000ms", 90.0)],
    "seconds_range": [("0", (0.0, 0.0)), ("5-10", (5.0, 10.0)), (" 0.5 ", (0.5, 0.5))],
    "choice": [("info", "INFO"), ("Warning", "WARNING"), ("DEBUG", "DEBUG")],
    "word": [("$MODEL", "$MODEL"), ("a/b:free", "a/b:free"), (r"a\n", r"a\n")],
    "api_key": [("$HOME", "$HOME"), (r"$a\b'\"{c}%d", r"$a\b'\"{c}%d"), (" k \n", "k")],
    "webhook_secret": [("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",) * 2],
    "http_url": [
        ("http://127.0.0.1:8099/v1/", "http://127.0.0.1:8099/v1"), ("http://[::1]/$a",) * 2,
    ],
    "listening_address": [
        ("127.0.0.2",) * 2, ("::1",) * 2, ("my-host_1.lan",) * 2,
        ("0:0::0", "::"), ("1and1",) * 2, ("0x-ray",) * 2,
    ],
    "allowed_hosts": [
        ("*", ["*"]), ("a.example, .b.example,", ["a.example", ".b.example"]),
        ("192.0.2.1,[2001:db8::1]", ["192.0.2.1", "[2001:db8::1]"]),
    ],
    "trusted_origins": [
        ("https://a.example,http://*.b.example:81", ["https://a.example", "http://*.b.example:81"]),
    ],
    "signing_secrets": [
        (f"${SECRET_KEY}", [f"${SECRET_KEY}"]), (f"{SECRET_KEY}, x{SECRET_KEY}",
                                                 [SECRET_KEY, f"x{SECRET_KEY}"]),
    ],
    "secret_key": [
        (value, value)
        for value in (f"${SECRET_KEY}", rf"\{SECRET_KEY}\n", f" {SECRET_KEY} ",
                      "é€äöüß☺𝄞ñžčřþðæøåłŋœ×÷¿¡§¶µ‰αβγδε")
    ],
    "directory": [
        ("~/x", Path.home() / "x"), ("/tmp/~x", Path("/tmp/~x")),
        ("/tmp/$X", Path("/tmp/$X")), (r"/tmp/a\b", Path(r"/tmp/a\b")),
    ],
    "file": [("manage.py", "manage.py")],
    "apps": [
        (" tests.script, tests.growth", ["tests.script", "tests.growth"]),
        ("analysis.apps.AnalysisConfig", ["analysis.apps.AnalysisConfig"]),
    ],
    "database_from_url": [],
    "cache_from_url": [],
    "email_from_url": [],
    "email_sender": [("tasks@example.com",) * 2, ("T <a@b.example>", '"T" <a@b.example>')],
}  # fmt: skip

TYPES: dict[str, str] = settings_of({})["env"].types


def setting_of(name: str) -> str:
    """Return the setting that a name of the environment makes."""
    renamed = {"CALLBACK_SECRET": "CALLBACK_SECRETS", "EMAIL_FROM": "DEFAULT_FROM_EMAIL"}
    return renamed.get(name, name.removeprefix("CELERY_"))


def cases(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    """Return each setting with each value of its type."""
    return [(name, value) for name, type in TYPES.items() for value in table[type]]


def refusal_of(environment: dict[str, str]) -> str:
    """Return the sentence with which the settings are refused."""
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(environment)
    return str(refused.value)


@pytest.mark.parametrize(("name", "value"), cases(INVALID))
def test_an_invalid_value_is_refused_with_a_sentence_that_names_the_setting(
    name: str, value: str
) -> None:
    sentence = refusal_of({name: value})
    assert name in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
    if TYPES[name] in SECRETS:
        assert repr(value) not in sentence
        assert "hunter2" not in sentence


@pytest.mark.parametrize(("name", "case"), cases(VALID))
def test_a_valid_value_is_taken_as_given(name: str, case: tuple[str, Any]) -> None:
    given, read = case
    # So that neither of the two limits is out of order.
    other = {"TASK_TIME_LIMIT": "1h"} if "SOFT" in name else {"TASK_SOFT_TIME_LIMIT": "1"}
    assert settings_of({**other, name: given})[setting_of(name)] == read


@pytest.mark.parametrize("name", [name for name, type in TYPES.items() if type == "number"])
def test_a_number_is_taken_as_given(name: str) -> None:
    another = settings_of({})[setting_of(name)] + 1
    assert settings_of({name: f" {another} "})[setting_of(name)] == another


@pytest.mark.parametrize("name", TYPES)
def test_bytes_that_are_not_utf_8_are_refused(name: str) -> None:
    value = os.fsdecode(b"/tmp/\xff" + SECRET_KEY.encode())
    assert refusal_of({name: value}) == (
        f"{name} contains a NUL character, or bytes that are not UTF-8."
    )


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("value", ["", " ", "\t\n"])
def test_an_empty_value_counts_as_not_set(name: str, value: str, tmp_path: Path) -> None:
    without = {"DATA_DIR": str(tmp_path)} if name != "DATA_DIR" else {}
    unset = settings_of(without)
    if name == "SECRET_KEY":
        assert settings_of({**without, name: value})["SECRET_KEY"] == (
            (tmp_path / "secret_key").read_text()
        )
    elif name != "DATA_DIR":
        assert plain(settings_of({**without, name: value})) == plain(unset)
    else:
        assert settings_of({name: value})["DATA_DIR"] == ROOT / ".data"


def test_the_table_has_all_types_and_no_other() -> None:
    assert set(TYPES.values()) == set(INVALID) == set(VALID)


def test_a_soft_time_limit_above_the_hard_one_is_refused() -> None:
    assert refusal_of({"TASK_TIME_LIMIT": "5m"}) == (
        "TASK_SOFT_TIME_LIMIT (600 s) must not be longer than TASK_TIME_LIMIT (300 s)."
    )
    both = {"CELERY_TASK_TIME_LIMIT": "300", "TASK_SOFT_TIME_LIMIT": "300"}
    assert settings_of(both)["TASK_SOFT_TIME_LIMIT"] == 300


def test_probes_of_workers_need_another_port_than_the_site() -> None:
    assert refusal_of({"PORT": "8081", "WORKER_HEALTH_PORT": "8081"}) == (
        "WORKER_HEALTH_PORT=8081 is the PORT of the site: use another."
    )
    assert settings_of({"PORT": "8080", "WORKER_HEALTH_PORT": "8081"})["WORKER_HEALTH_PORT"] == 8081


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "myhost"])
@pytest.mark.parametrize("name", ["DEBUG", "API_ALLOW_ANONYMOUS"])
def test_a_site_without_protection_is_not_served_to_other_machines(host: str, name: str) -> None:
    sentence = refusal_of({"HOST": host, name: "true"})
    assert sentence.startswith(f"{name}=true ")
    assert f"HOST={host!r}" in sentence
    protected = settings_of({"HOST": host, name: "false"})
    assert protected[name] is False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_a_site_without_protection_is_served_to_its_own_machine(host: str) -> None:
    settings = settings_of({"HOST": host, "DEBUG": "true", "API_ALLOW_ANONYMOUS": "true"})
    open_settings = {name: settings[name] for name in ("HOST", "DEBUG", "API_ALLOW_ANONYMOUS")}
    assert open_settings == {"HOST": host, "DEBUG": True, "API_ALLOW_ANONYMOUS": True}


def test_debug_alone_does_not_admit_callers_without_keys() -> None:
    assert settings_of({"DEBUG": "true"})["API_ALLOW_ANONYMOUS"] is False


def test_the_url_of_the_database_is_not_a_setting() -> None:
    settings = settings_of({"DATABASE_URL": "postgres://u:hunter2@h/d", "DEBUG": "true"})
    assert settings["DATABASES"]["default"]["PASSWORD"] == "hunter2"
    readable = {
        name: value for name, value in settings.items() if name.isupper() and name != "DATABASES"
    }
    assert "hunter2" not in repr(readable)


def test_a_cache_whose_package_is_not_installed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    assert refusal_of({"CACHE_URL": "redis://:hunter2@h:6379/0"}) == (
        "CACHE_URL needs the package redis: run pip install redis."
    )


@pytest.mark.parametrize("name", ["DATABASE_URL", "CACHES", "SECRET_KEY", "CALLBACK_SECRETS"])
def test_a_debug_page_does_not_show_what_holds_a_password(name: str) -> None:
    page = get_default_exception_reporter_filter()
    shown = page.cleanse_setting(
        name, {"LOCATION": "redis://:hunter2@h"} if name == "CACHES" else "hunter2"
    )
    assert "hunter2" not in repr(shown)
    assert repr(page.cleanse_setting("PORT", 8000)) == "8000"


@pytest.mark.parametrize(
    "make",
    [
        get_random_secret_key,
        lambda: secrets.token_urlsafe(48),
        lambda: secrets.token_hex(32),
        lambda: secrets.token_hex(4096),
        lambda: base64.b64encode(secrets.token_bytes(24)).decode(),
        lambda: str(uuid.uuid4()),
        lambda: uuid.uuid4().hex,
    ],
)
def test_what_random_generators_make_is_accepted(tmp_path: Path, make: Callable[[], str]) -> None:
    for _ in range(200):
        secret = make()
        assert secret_key(Environment({"SECRET_KEY": secret}), tmp_path) == secret


def test_a_damaged_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()
    sentence = refusal_of({"DATA_DIR": str(tmp_path), "SECRET_KEY": ""})
    assert sentence.startswith(f"The SECRET_KEY in {tmp_path / 'secret_key'} can be guessed")
