"""Unusable values of every filter; the filters are those that each interface declares."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.management import get_commands, load_command_class
from django.urls import reverse

from tasks.api.shapes.dead_letters import PURGE_ALL
from tasks.console.dead_letters import GROUP_FIELDS
from tasks.console.strict_list import StrictListAdmin
from tasks.management.filter_option import FilterOption
from tasks.pages.views import LIST_FILTERS

# As they stand in an address.
UNUSABLE = ("", "%20", "%09", "%E3%80%80", "%00", "x%00y", "%1B", "%ED%A0%80")
TEXTS = ("", " ", "\t", "\u3000", "\0", "x\0y", "\x1b", "\ud800")
RETRY = {"action": "retry_selected", "select_across": "1"}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A request with one unusable filter; `name` must be in its answer."""

    name: str
    path: str
    form: Mapping[str, Any] | None = None
    body: bytes | None = None


@dataclass(frozen=True)
class Attempts:
    """The requests of one interface."""

    interface: str
    requests: list[Attempt] = field(default_factory=list)

    @property
    def filters(self) -> int:
        """Return how many filters they concern."""
        return len({(each.path.partition("?")[0], each.name) for each in self.requests})


def of_api(document: Any) -> Attempts:
    """Return the requests to the API: query parameters, and bodies that may select all."""
    attempts = Attempts("API")
    for path, operations in document["paths"].items():
        # The parameters of a platform's check filter nothing.
        if "/webhooks/" in path:
            continue
        for parameter in operations.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query":
                attempts.requests.extend(_of_query(path, parameter["name"]))
                attempts.requests.append(_misspelt(path, parameter["name"]))
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        properties = content.get("application/json", {}).get("schema", {}).get("properties", {})
        if PURGE_ALL in properties:
            for name in properties:
                attempts.requests.extend(_of_body(path, name))
    return attempts


def of_pages() -> Attempts:
    """Return the requests to the pages: the filters of the list."""
    path = reverse("tasks-ui:task-list")
    return Attempts("pages", [each for name in LIST_FILTERS for each in _of_query(path, name)])


def of_console(selected: str) -> Attempts:
    """Return the requests to the console: filters of lists, also with an action, and of groups."""
    attempts = Attempts("console")
    for model, screen in admin.site._registry.items():
        assert isinstance(screen, StrictListAdmin)
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        path = reverse(f"admin:{name}_changelist")
        for lookup in (*screen.lookups(), SEARCH_VAR):
            for each in (*_of_query(path, lookup), _misspelt(path, lookup)):
                # A cleared search field sends an empty one.
                if not each.path.endswith(f"?{SEARCH_VAR}="):
                    attempts.requests.append(each)
                form = {**RETRY, "_selected_action": selected}
                attempts.requests.append(Attempt(name=each.name, path=each.path, form=form))
    path = reverse("admin:tasks_task_act_on_group")
    group = {"verb": "retry", "kind": "test.script", "error": "FatalError"}
    for name in GROUP_FIELDS:
        for value in (*TEXTS[:-1], [group[name]] * 2):
            attempts.requests.append(Attempt(name=name, path=path, form={**group, name: value}))
    return attempts


def of_commands() -> Iterator[tuple[list[str], str]]:
    """Yield the arguments of `manage.py` for each unusable option, and the option."""
    for command, app in get_commands().items():
        if app != "tasks":
            continue
        parser: ArgumentParser = load_command_class(app, command).create_parser("", command)
        for option in [each for each in parser._actions if isinstance(each, FilterOption)]:
            flag = option.option_strings[0]
            # An argument of a process cannot contain NUL.
            for value in (text for text in TEXTS[:-1] if "\0" not in text):
                yield [command, f"{flag}={value}"], flag
            yield [command, f"{flag}=default", f"{flag}=default"], flag


def _of_query(path: str, name: str) -> Iterator[Attempt]:
    for value in UNUSABLE:
        yield Attempt(name=name, path=f"{path}?{name}={value}")
    yield Attempt(name=name, path=f"{path}?{name}=1&{name}=1")


def _misspelt(path: str, name: str) -> Attempt:
    return Attempt(name=f"{name}x", path=f"{path}?{name}x=1")


def _of_body(path: str, name: str) -> Iterator[Attempt]:
    for text in TEXTS:
        value = b'"\\ud800"' if text == "\ud800" else orjson.dumps(text)
        yield Attempt(name=name, path=path, body=b'{"%s":%s}' % (name.encode(), value))
    for value in (b"null", b"[]", b"{}", b"0", b"false"):
        yield Attempt(name=name, path=path, body=b'{"%s":%s}' % (name.encode(), value))
    twice = b'{"%s":true,"%s":true}' % (name.encode(), name.encode())
    yield Attempt(name=name, path=path, body=twice)
    # A filter in the address of a request that has another in its body.
    yield Attempt(name=name, path=f"{path}?{name}=x", body=b'{"all":true}')
    if name != PURGE_ALL:
        body = b'{"all":true,"%s":"x"}' % name.encode()
        yield Attempt(name=PURGE_ALL, path=path, body=body)
