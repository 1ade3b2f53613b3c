"""Settings of services: keys, secrets, addresses and the cache."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from taskproject.address_settings import http_url
from taskproject.cache_url import cache_from_url
from taskproject.email_url import email_from_url, email_sender
from taskproject.environment import Environment
from taskproject.secret_settings import api_key, webhook_secret


@pytest.mark.parametrize("key", ["sk or", "sk-ö", "sk\nX-Other: 1", "sk\x01"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(key: str) -> None:
    env = Environment({"A_KEY": key})
    with pytest.raises(ImproperlyConfigured, match=r"^A_KEY must contain only") as refused:
        api_key(env, "A_KEY")
    assert key not in str(refused.value)


def test_a_key_may_be_missing() -> None:
    env = Environment({"A_KEY": " sk-or-1 \n"})
    assert (api_key(env, "A_KEY"), api_key(env, "ANOTHER")) == ("sk-or-1", "")


@pytest.mark.parametrize(
    "address",
    ["openrouter.ai", "ftp://a.b", "https://", "http://u:p@a.b", "http://a:x", "http://a?b"],
)
def test_an_address_that_is_not_plain_is_refused(address: str) -> None:
    env = Environment({"A_URL": address})
    with pytest.raises(ImproperlyConfigured, match=r"^A_URL must be an http"):
        http_url(env, "A_URL", "https://openrouter.ai/api/v1")


def test_a_slash_at_the_end_of_an_address_is_removed() -> None:
    env = Environment({"A_URL": "http://127.0.0.1:8099/api/v1/"})
    assert http_url(env, "A_URL", "") == "http://127.0.0.1:8099/api/v1"


@pytest.mark.parametrize("url", ["nonsense", "foo://user:secret@x"])
def test_an_unknown_cache_is_refused_and_not_repeated(url: str) -> None:
    env = Environment({"A_CACHE": url})
    with pytest.raises(ImproperlyConfigured, match=r"^A_CACHE is not a supported cache") as refused:
        cache_from_url(env, "A_CACHE", "dbcache://tasks_cache")
    assert "secret" not in str(refused.value)


def test_an_address_without_a_default_may_be_missing() -> None:
    env = Environment({"A_URL": " "})
    assert (http_url(env, "A_URL", ""), http_url(env, "ANOTHER", "")) == ("", "")


@pytest.mark.parametrize("secret", ["whsec_", "secret", "whsec_c2hvcnQ=", "whsec_ö"])
def test_an_invalid_secret_is_refused(secret: str) -> None:
    env = Environment({"A_SECRET": secret})
    with pytest.raises(
        ImproperlyConfigured, match=r"^A_SECRET (is not a valid secret|must contain only)"
    ):
        webhook_secret(env, "A_SECRET")


def test_a_secret_of_standard_webhooks_may_be_missing() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    env = Environment({"A_SECRET": secret})
    assert (webhook_secret(env, "A_SECRET"), webhook_secret(env, "ANOTHER")) == (secret, "")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail", ("mail", 25, "", "", False, False)),
        ("smtp+tls://u:p@mail.example.com", ("mail.example.com", 587, "u", "p", True, False)),
        ("smtps://u%40a:p%3A%2F@mail:1465", ("mail", 1465, "u@a", "p:/", False, True)),
        ("smtp://[::1]:2525", ("::1", 2525, "", "", False, False)),
        ("", ("", 25, "", "", False, False)),
    ],
)
def test_a_mail_server_is_read_from_its_url(url: str, server: tuple[object, ...]) -> None:
    read = email_from_url(Environment({"A_MAIL": url}), "A_MAIL")
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    assert tuple(read[f"EMAIL_{name}"] for name in names) == server


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ("", "tasks@localhost"),
        (" ops@example.com ", "ops@example.com"),
        ("Tasks, production <ops@example.com>", '"Tasks, production" <ops@example.com>'),
        ('"Tasks in Köln" <ops@example.com>', '"Tasks in Köln" <ops@example.com>'),
        (r"Back\slash <ops@example.com>", r'"Back\\slash" <ops@example.com>'),
    ],
)
def test_a_sender_may_have_a_name(given: str, sender: str) -> None:
    env = Environment({"A_SENDER": given})
    assert email_sender(env, "A_SENDER", "tasks@localhost") == sender


@pytest.mark.parametrize(
    "given",
    [
        "Tasks", "Tasks <>", "Tasks <ops>", "ops@example.com, dev@example.com",
        "Tasks\nBcc: a@example.com <ops@example.com>", "a <b@example.com> <c@example.com>",
        'Ta"sks <ops@example.com>',
    ],
)  # fmt: skip
def test_a_sender_without_a_valid_address_is_refused(given: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^A_SENDER=.* is not an e-mail address, such"):
        email_sender(Environment({"A_SENDER": given}), "A_SENDER", "tasks@localhost")
