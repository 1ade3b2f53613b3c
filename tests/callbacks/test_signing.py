"""Signatures: receivers can verify who sent a callback."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient
from standardwebhooks import Webhook, WebhookVerificationError

from tasks.callbacks.signing import secrets_of, signed_headers
from tests.api.described import described

BODY = '{"type":"task.completed"}'


def headers(owner_id: int | None = 1, *, now: dt.datetime | None = None) -> dict[str, str]:
    now = now or timezone.now()
    return signed_headers(message_id="msg-1", body=BODY, secrets=secrets_of(owner_id), now=now)


def is_ours(secret: str, body: str, sent: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, sent)
    except WebhookVerificationError:
        return False
    return True


def test_the_reference_library_verifies_a_callback() -> None:
    assert is_ours(secrets_of(1)[0], BODY, headers())


def test_a_signature_equals_the_published_one_of_the_specification() -> None:
    assert signed_headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body='{"test": 2432232314}',
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        now=dt.datetime.fromtimestamp(1614265330, tz=dt.UTC),
    ) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_changed_header_or_body_is_refused(name: str) -> None:
    changed = headers()
    changed[name] = {"webhook-timestamp": str(int(changed["webhook-timestamp"]) - 1)}.get(
        name, changed[name] + "x" if name == "webhook-id" else "v1,AAAA"
    )
    assert not is_ours(secrets_of(1)[0], BODY, changed)
    assert not is_ours(secrets_of(1)[0], BODY + " ", headers())


def test_an_old_message_is_not_accepted_again() -> None:
    old = headers(now=timezone.now() - dt.timedelta(minutes=6))
    assert not is_ours(secrets_of(1)[0], BODY, old)


def test_an_owner_cannot_sign_for_another() -> None:
    assert not is_ours(secrets_of(2)[0], BODY, headers(1))
    assert not is_ours(secrets_of(None)[0], BODY, headers(1))
    assert is_ours(secrets_of(None)[0], BODY, headers(None))


def test_while_the_secret_changes_a_callback_is_signed_with_both(settings: Any) -> None:
    settings.CALLBACK_SECRETS = ["old"]
    (old,) = secrets_of(1)
    settings.CALLBACK_SECRETS = ["new", "old"]
    new, still = secrets_of(1)
    assert (still, new != old) == (old, True)
    assert all(is_ours(secret, BODY, headers()) for secret in (new, old))
    settings.CALLBACK_SECRETS = ["new"]
    assert not is_ours(old, BODY, headers())


@pytest.mark.django_db
def test_each_caller_gets_their_own_secrets(
    api: APIClient, api_for: Callable[[User], APIClient], user: User, stranger: User
) -> None:
    path = "/api/v1/callbacks/secrets"
    shown = [
        described(client.get(path))["secrets"] for client in (api, api_for(user), api_for(stranger))
    ]
    assert shown == [secrets_of(None), secrets_of(user.pk), secrets_of(stranger.pk)]
    assert len({secret for secrets in shown for secret in secrets}) == 3
    assert api.get(path)["Cache-Control"] == "no-store"
