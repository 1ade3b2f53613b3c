"""The console's search for screens."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db

TASKS = 'href="/admin/tasks/task/"'


@pytest.mark.parametrize("query", ["s=tas", "s=TAS", "s=tas&extended=1", "s=tas&page=1"])
def test_the_search_shows_screens_each_time_it_is_asked(viewer, console, query):
    browser = console(viewer)
    for _ in range(2):
        response = browser.get(f"/admin/search/?{query}")
        assert response.status_code == 200
        assert TASKS in response.content.decode()


def test_a_user_who_loses_a_permission_no_longer_finds_its_screen(viewer, console):
    browser = console(viewer)
    assert TASKS in browser.get("/admin/search/?s=tasks").content.decode()
    viewer.user_permissions.clear()
    assert TASKS not in browser.get("/admin/search/?s=tasks").content.decode()


@pytest.mark.parametrize("query", ["", "?s=", "?s=no-such-screen"])
def test_a_search_without_a_match_shows_no_screen(viewer, console, query):
    response = console(viewer).get(f"/admin/search/{query}")
    assert response.status_code == 200
    assert "href" not in response.content.decode()


@pytest.mark.parametrize("page", ["x", "", "0", "-1", "2", "1.0", "9" * 25])
def test_a_page_that_the_search_does_not_have_is_a_bad_request(viewer, console, page):
    response = console(viewer).get(f"/admin/search/?s=tas&page={page}")
    assert response.status_code == 400
    assert "<p>page: There is no such page.</p>" in response.content.decode()
