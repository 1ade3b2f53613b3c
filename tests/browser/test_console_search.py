"""The console's search in a browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from tasks.pages.policy import CONTENT_SECURITY_POLICY

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _operator(settings):
    settings.CONTENT_SECURITY_POLICY = CONTENT_SECURITY_POLICY
    User.objects.create_superuser("root", password="root")


def test_the_search_of_the_keyboard_leads_to_a_screen(page):
    page.goto("/admin/login/?next=/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("root")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
    page.keyboard.press("Control+k")
    page.locator("#search-input-command").press_sequentially("batch")
    match = page.locator("#command-results-list a")
    expect(match).to_have_count(1)
    expect(page.locator("#command-results-note")).to_contain_text("Found 1 result")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/tasks/batch/")
