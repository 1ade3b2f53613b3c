"""Fixtures of the browser tests, which read the page, not the database."""

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
    """Start a worker that needs two seconds for every text."""
    return worker(ANALYSIS_SIMULATED_DELAY="2")


@pytest.fixture
def browser(slow_worker: WorkerCommand) -> Iterator[Browser]:
    """Return a headless Chromium.

    It depends on the other fixtures, because Django refuses synchronous database access once
    playwright's event loop runs in this thread.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(live_server: LiveServer, browser: Browser) -> Iterator[Page]:
    """Return a tab; console messages, such as violations of the policy, fail the test."""
    page = browser.new_page(base_url=live_server.url)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    yield page
    assert messages == []
