"""Addresses: those that are shown at the start can be used."""

from __future__ import annotations

from typing import Any

import pytest

from taskproject.address_settings import is_loopback
from taskproject.addresses import Addresses

LOCAL = ["localhost", "127.0.0.1", "[::1]"]


@pytest.fixture
def addresses(settings: Any) -> Any:
    def of(host: str, allowed: list[str], *, https: bool = False) -> Addresses:
        settings.HOST, settings.PORT = host, 8000
        settings.ALLOWED_HOSTS, settings.HTTPS = allowed, https
        return Addresses.of_settings()

    return of


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_a_loopback_address_is_shown_as_it_is(addresses: Any, host: str, base: str) -> None:
    shown = addresses(host, LOCAL)
    assert (shown.local, shown.public, shown.elsewhere) == (base, base, "")


@pytest.mark.parametrize(
    ("host", "base"), [("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000")]
)
def test_for_all_addresses_one_is_shown_that_the_site_accepts(
    addresses: Any, host: str, base: str
) -> None:
    shown = addresses(host, LOCAL)
    assert (shown.local, shown.public) == (base, base)
    if shown.elsewhere:
        # This machine has an address of that family.
        assert shown.elsewhere.endswith(" has " + shown.elsewhere.split()[-1])
        assert addresses(host, ["*"]).public in shown.elsewhere


def test_the_site_behind_tls_is_shown_by_its_name(addresses: Any) -> None:
    for allowed in (["tasks.example.com"], ["localhost", ".tasks.example.com"]):
        shown = addresses("127.0.0.1", allowed, https=True)
        assert (shown.local, shown.public) == ("http://127.0.0.1:8000", "https://tasks.example.com")


def test_the_own_check_names_a_host_that_is_allowed(addresses: Any) -> None:
    assert addresses("127.0.0.1", LOCAL).host_header == "127.0.0.1:8000"
    assert addresses("127.0.0.1", [".example.com"]).host_header == "example.com"
    assert addresses("127.0.0.1", ["*"]).host_header == "127.0.0.1:8000"


def test_loopback_addresses_are_known() -> None:
    assert all(is_loopback(host) for host in (*LOCAL, "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "*", "a.localhost"))
