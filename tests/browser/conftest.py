"""A real browser at the live server; its tests ask the page, never the database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.workers import WorkerCommand

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture
def slow_worker(worker: Callable[..., WorkerCommand]) -> WorkerCommand:
    """Start a worker that takes two seconds over every text, so that its work can be watched."""
    return worker(ANALYSIS_SIMULATED_DELAY="2")


@pytest.fixture
def browser(slow_worker: WorkerCommand) -> Iterator[Browser]:
    """Return a headless Chromium; it comes last, since Django keeps off threads it runs in."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(live_server: LiveServer, browser: Browser) -> Iterator[Page]:
    """Return a tab; what its console says, refusals of the policy included, fails the test."""
    page = browser.new_page(base_url=live_server.url)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []
