"""The home page, login and logout, and error pages."""

from __future__ import annotations

import pytest

from tests.factories import make_task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _home_kind(settings):
    settings.HOME_KIND = "text.analyze"


def test_home_shows_the_form_of_the_home_kind_and_the_visitors_latest_tasks(alice, user):
    task = make_task(owner=user)
    page = alice.get("/").content.decode()
    assert 'action="/ui/kinds/text.analyze/"' in page
    assert f'href="/ui/tasks/{task.pk}/"' in page


def test_home_lists_every_kind(client):
    page = client.get("/").content.decode()
    assert 'href="/ui/kinds/test.script/"' in page


def test_home_opens_when_the_home_kind_is_not_registered(client, settings):
    settings.HOME_KIND = "none.such"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("address", ["/", "/ui/tasks/?status=FAILED", "/ui/kinds/text.analyze/"])
def test_visitors_must_log_in_when_anonymous_access_is_off(client, settings, user, address):
    settings.API_ALLOW_ANONYMOUS = False
    login = client.get(address)
    assert login.status_code == 302
    assert login.url.startswith("/ui/login/?next=")
    response = client.post(login.url, {"username": "alice", "password": "alice"})
    assert response.url == address


def test_a_login_does_not_redirect_to_another_site(client, user):
    credentials = {"username": "alice", "password": "alice"}
    response = client.post("/ui/login/?next=https://example.org/", credentials)
    assert response.url == "/"


def test_a_poll_after_the_session_ended_reloads_the_whole_page(client, settings):
    settings.API_ALLOW_ANONYMOUS = False
    address = f"/ui/tasks/{make_task().pk}/status/"
    response = client.get(address, headers={"HX-Request": "true"})
    assert response.headers["HX-Refresh"] == "true"


def test_logging_out_requires_a_post(alice):
    assert alice.get("/ui/logout/").status_code == 405
    alice.post("/ui/logout/")
    assert "_auth_user_id" not in alice.session


def test_an_address_without_its_final_slash_is_redirected(client):
    assert client.get("/ui/tasks?status=FAILED").url == "/ui/tasks/?status=FAILED"


def test_an_unknown_address_shows_the_page_not_found(client):
    response = client.get("/ui/nothing/", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


def test_pages_must_not_be_cached(alice):
    assert "no-store" in alice.get("/ui/tasks/").headers["Cache-Control"]
