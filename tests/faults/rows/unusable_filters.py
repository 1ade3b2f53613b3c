"""Filters that are given without a usable value, in every interface: S21."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import requests
from django.contrib.auth.models import User
from knox.models import AuthToken

from tasks.lifecycle.preparation import prepare
from tasks.models import Status
from tests.faults.harness import filters
from tests.faults.harness.filters import Attempt
from tests.faults.harness.processes import Command
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System

FAILED = 20
WAITING = 20
NAME = PASSWORD = "operator"
ROWS = (
    "SELECT md5(string_agg(task::text, '|' ORDER BY id)) FROM tasks_task AS task",
    "SELECT md5(string_agg(job::text, '|' ORDER BY id)) FROM procrastinate_jobs AS job",
    "SELECT md5(string_agg(queue::text, '|' ORDER BY name)) FROM tasks_queue AS queue",
)


@row(
    "S21",
    title="every filter value empty, blank, repeated, NUL, a control character, half a surrogate "
    "pair or beside `all`: API, pages, console with and without an action, commands",
    promise="400 that names the filter; nothing is touched",
    target="all refused, rows touched 0",
    limit=600,
    ends=False,
)
def unusable_filters(system: System, dice: Dice) -> Measured:
    """Send every unusable filter as an operator; compare the rows before and after."""
    web = system.web(API_ALLOW_ANONYMOUS="false")
    operator = User.objects.create_superuser(NAME, password=PASSWORD)
    workers = system.workers(queues=["default"])
    ids = system.submit([prepare("test.script", {"do": "fatal"}) for _ in range(FAILED)])
    system.wait_until_ended(within=60)
    workers.end()
    system.submit([prepare("test.script", queue="waiting") for _ in range(WAITING)])
    before = _rows(system)
    _, key = AuthToken.objects.create(user=operator)
    caller = requests.Session()
    caller.headers["Authorization"] = f"Bearer {key}"
    document = caller.get(f"{web.url}/api/schema/?format=json", timeout=30).json()
    browser = _logged_in(web.url)
    groups: list[tuple[filters.Attempts, Callable[[Attempt], requests.Response]]] = [
        (filters.of_api(document), lambda each: _ask_api(caller, web.url, each)),
        (filters.of_pages(), lambda each: _ask_page(browser, web.url, each)),
        (filters.of_console(str(ids[0])), lambda each: _ask_page(browser, web.url, each)),
    ]
    refused = Counter[bool]()
    examples: list[object] = []
    for attempts, ask in groups:
        dice.shuffle(attempts.requests)
        for attempt in attempts.requests:
            is_refused = _is_refused(attempt, ask(attempt))
            refused[is_refused] += 1
            examples += [] if is_refused else [attempt]
    for arguments, flag in filters.of_commands():
        is_refused = _is_refused_command(system, arguments, flag)
        refused[is_refused] += 1
        examples += [] if is_refused else [arguments]
    touched = sum(old != new for old, new in zip(before, _rows(system), strict=True))
    failed = system.count(Status.FAILED)
    counted = ", ".join(f"{attempts.filters} of the {attempts.interface}" for attempts, _ in groups)
    return Measured(
        f"filters: {counted}; requests and commands refused by name {refused[True]}, others "
        f"{refused[False]} {examples[:3] or ''}; tables touched {touched}, "
        f"failed tasks {failed} of {FAILED}",
        met=not refused[False] and not touched and failed == FAILED,
    )


def _rows(system: System) -> list[str]:
    """Return a digest of the rows of each table that a filter may select from."""
    return [system.queries.value(statement) for statement in ROWS]


def _logged_in(url: str) -> requests.Session:
    """Return a browser in which the operator is logged in to the pages and the console."""
    browser = requests.Session()
    browser.get(f"{url}/admin/login/", timeout=30)
    form = {"username": NAME, "password": PASSWORD, **_token(browser)}
    browser.post(f"{url}/admin/login/", data=form, timeout=30).raise_for_status()
    return browser


def _token(browser: requests.Session) -> dict[str, str]:
    return {"csrfmiddlewaretoken": str(browser.cookies["csrftoken"])}


def _ask_api(caller: requests.Session, url: str, attempt: Attempt) -> requests.Response:
    if attempt.body is None:
        return caller.get(f"{url}{attempt.path}", timeout=30)
    return caller.post(f"{url}{attempt.path}", data=attempt.body, timeout=30)


def _ask_page(browser: requests.Session, url: str, attempt: Attempt) -> requests.Response:
    if attempt.form is None:
        return browser.get(f"{url}{attempt.path}", timeout=30, allow_redirects=False)
    form = {**attempt.form, **_token(browser)}
    return browser.post(f"{url}{attempt.path}", data=form, timeout=30, allow_redirects=False)


def _is_refused(attempt: Attempt, response: requests.Response) -> bool:
    name = attempt.name
    # In a problem document, in a sentence about JSON that is refused, and on a page.
    places = (f'"field":"{name}"', f"at {name} ", f"'{name}'", f"<p>{name}: ")
    return response.status_code == 400 and any(place in response.text for place in places)


def _is_refused_command(system: System, arguments: list[str], flag: str) -> bool:
    log = system.directory / "command.log"
    log.unlink(missing_ok=True)
    command = Command(["manage.py", *arguments], log=log, environment={})
    return command.wait() != 0 and flag in command.output()
