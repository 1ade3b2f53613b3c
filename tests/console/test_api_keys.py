from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from knox.crypto import hash_token
from knox.models import AuthToken

from tests.console.pages import text

pytestmark = pytest.mark.django_db

KEYS = "admin:knox_authtoken_changelist"
NEW = "admin:knox_authtoken_new"


def test_an_operators_key_is_shown_exactly_once(operator, console):
    browser = console(operator)
    response = browser.post(reverse(NEW), {"user": operator.username, "days": ""})
    secret = response.context["secret"]
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    key = AuthToken.objects.get()
    assert key.digest == hash_token(secret)
    assert key.expiry is None
    for address in (reverse(KEYS), reverse(NEW), reverse("admin:index")):
        assert secret not in browser.get(address).content.decode()
    assert secret not in str(list(LogEntry.objects.values()))
    assert LogEntry.objects.get().object_repr == f"API key {key.token_key}… of operator"


def test_a_key_with_a_lifetime_expires(operator, console):
    console(operator).post(reverse(NEW), {"user": operator.username, "days": "7"})
    lifetime = AuthToken.objects.get().expiry - timezone.now()
    assert lifetime.days == 6


def test_an_operator_cannot_create_a_key_for_another_user(operator, admin_user, user, console):
    for other in (admin_user, user):
        response = console(operator).post(reverse(NEW), {"user": other.username})
        assert response.status_code == 403
    assert not AuthToken.objects.exists()


def test_a_superuser_can_create_a_key_for_another_user(admin_client, user):
    admin_client.post(reverse(NEW), {"user": user.username})
    assert AuthToken.objects.get().user == user


@pytest.mark.parametrize("fields", [{"user": "unknown"}, {"user": ""}, {"user": "x", "days": "0"}])
def test_an_invalid_form_creates_no_key(admin_client, fields):
    User.objects.create_user("x", is_active=fields.get("user") != "x")
    response = admin_client.post(reverse(NEW), fields)
    assert response.status_code == 200
    assert response.context["secret"] is None
    assert not AuthToken.objects.exists()


def test_an_operator_can_revoke_only_their_own_key(operator, user, console):
    own, _ = AuthToken.objects.create(operator)
    other, _ = AuthToken.objects.create(user)
    browser = console(operator)
    assert other.token_key not in text(browser.get(reverse(KEYS)))
    revoke = "admin:knox_authtoken_revoke"
    assert browser.post(reverse(revoke, args=[other.pk])).status_code == 404
    assert browser.get(reverse(revoke, args=[own.pk])).status_code == 405
    assert browser.post(reverse(revoke, args=[own.pk])).status_code == 302
    assert list(AuthToken.objects.all()) == [other]
    assert LogEntry.objects.get().is_deletion()


def test_a_viewer_cannot_see_create_or_revoke_keys(viewer, console):
    key, _ = AuthToken.objects.create(viewer)
    browser = console(viewer)
    revoke = reverse("admin:knox_authtoken_revoke", args=[key.pk])
    assert browser.get(reverse(KEYS)).status_code == 403
    assert browser.post(reverse(NEW), {"user": viewer.username}).status_code == 403
    assert browser.post(revoke).status_code == 403
    assert AuthToken.objects.count() == 1
