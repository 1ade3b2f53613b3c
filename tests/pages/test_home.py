"""The home page, the way in, and the pages that say no."""

from __future__ import annotations

import pytest

from tests.factories import make_task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _home_kind(settings):
    settings.HOME_KIND = "text.analyze"


def test_home_offers_the_projects_first_kind_and_the_visitors_latest_tasks(alice, user):
    task = make_task(owner=user)
    page = alice.get("/").content.decode()
    assert 'action="/ui/kinds/text.analyze/"' in page
    assert f'href="/ui/tasks/{task.pk}/"' in page


def test_home_lists_every_kind(client):
    page = client.get("/").content.decode()
    assert 'href="/ui/kinds/test.script/"' in page


def test_home_does_without_a_kind_of_its_own(client, settings):
    settings.HOME_KIND = "none.such"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("address", ["/", "/ui/tasks/?status=FAILED", "/ui/kinds/text.analyze/"])
def test_where_nobody_is_anonymous_visitors_log_in_first(client, settings, user, address):
    settings.API_ALLOW_ANONYMOUS = False
    login = client.get(address)
    assert login.status_code == 302
    assert login.url.startswith("/ui/login/?next=")
    response = client.post(login.url, {"username": "alice", "password": "alice"})
    assert response.url in (address, "/")


def test_a_login_leads_to_no_other_site(client, user):
    secret = {"username": "alice", "password": "alice"}
    response = client.post("/ui/login/?next=https://example.org/", secret)
    assert response.url == "/"


def test_a_polling_page_whose_session_ended_reloads_as_a_whole(client, settings):
    settings.API_ALLOW_ANONYMOUS = False
    address = f"/ui/tasks/{make_task().pk}/status/"
    response = client.get(address, headers={"HX-Request": "true"})
    assert response.headers["HX-Refresh"] == "true"


def test_logging_out_needs_the_button(alice):
    assert alice.get("/ui/logout/").status_code == 405
    alice.post("/ui/logout/")
    assert "_auth_user_id" not in alice.session


def test_a_forgotten_slash_is_forgiven(client):
    assert client.get("/ui/tasks?status=FAILED").url == "/ui/tasks/?status=FAILED"


def test_what_is_not_there_says_so_in_a_page(client):
    response = client.get("/ui/nothing/", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_pages_are_kept_by_no_cache(alice):
    assert "no-store" in alice.get("/ui/tasks/").headers["Cache-Control"]
