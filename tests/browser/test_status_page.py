"""The status page in a browser: from the form to the result of a real worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tasks.pages.policy import CONTENT_SECURITY_POLICY

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXT = "The sun, the moon and the sun again."
MARK = "document.body.dataset.mark"


@pytest.fixture(autouse=True)
def _policy(settings):
    settings.CONTENT_SECURITY_POLICY = CONTENT_SECURITY_POLICY


def submit_script(page, script):
    page.goto("/ui/kinds/test.script/")
    page.get_by_label("Input").fill(script)
    page.get_by_role("button", name="Submit").click()


def test_the_status_page_shows_the_result_without_reloading(page):
    page.goto("/ui/kinds/text.analyze/")
    page.get_by_label("Text").fill(TEXT)
    page.get_by_role("button", name="Submit").click()
    page.evaluate(f"{MARK} = 'the same page'")
    expect(page.get_by_text("waiting for the configured delay")).to_be_visible()
    expect(page.locator(".badge").first).to_have_text("Completed", timeout=15_000)
    expect(page.locator(".bars th").first).to_have_text("sun")
    expect(page).to_have_title("Completed · text.analyze")
    expect(page.locator("#announcement")).to_have_text("Completed")
    assert page.evaluate(MARK) == "the same page"
    assert page.locator("[hx-get]").count() == 0


def test_the_page_of_a_running_task_shows_progress_and_can_cancel_it(page, tmp_path: Path):
    submit_script(page, f'{{"do": "progress", "file": "{tmp_path / "go"}"}}')
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "40", timeout=15_000)
    expect(page.get_by_text("almost done")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".badge").first).to_have_text("Cancelled", timeout=15_000)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_the_page_shows_the_result_without_javascript(browser, live_server):
    page = browser.new_context(java_script_enabled=False, base_url=live_server.url).new_page()
    submit_script(page, '{"do": "return", "value": "hello"}')
    expect(page.locator(".result")).to_contain_text("hello", timeout=15_000)
