"""Callback addresses: only the public Internet is called, unless private networks are allowed."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from rest_framework.test import APIClient

import tasks
from tasks.callback_address import Receiver, Refused, may_reach, mistake_in
from tasks.callbacks.post import NoAnswer, post, resolve
from tasks.errors import InvalidInput
from tests.api.described import described, fields
from tests.api.described import post as post_json
from tests.callbacks.receiver import Receiver as RunningReceiver

FORBIDDEN_HOSTS = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "printer.local",
    "metadata.google.internal", "router.lan", "intranet", "db",
    "127.0.0.1", "127.1", "127.0.0.1.", "2130706433", "017700000001", "0x7f000001", "0x7f.1",
    "0177.0.0.1", "0", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "2852039166", "192.0.0.1", "198.18.0.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001::1]", "[fe80::1]", "[fe80::1%25eth0]",
    "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[100::1]", "[2001:db8::1]",
]  # fmt: skip

FORBIDDEN_URLS = [
    "", "x", "example.com", "//example.com/", "https://", "https:///path", "https://:443/",
    "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
    "javascript:alert(1)", "https://example.com:22/", "https://example.com:80/",
    "https://example.com:0/", "https://example.com:99999/", "https://example.com:x/",
    "https://user@example.com/", "https://user:secret@example.com/",
    "https://example.com@127.0.0.1/", "https://127.0.0.1\\@example.com/",
    "https://example.com/\r\nX: y", "https://example.com/a b", "https://example.com/#x",
    "https://exämple.com/", "https://１２７.0.0.1/", "https://①②⑦.0.0.1/", "https://[::1/",
    "https://%6c%6f%63alhost/", "https://-a.com/", "https://a..com/",
    f"https://{'a' * 64}.com/", f"https://example.com/{'x' * 2048}", "https://example.com/\0",
]  # fmt: skip


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_a_host_that_is_not_public_is_refused_when_it_is_saved(host: str) -> None:
    assert mistake_in(f"https://{host}/hook")


@pytest.mark.parametrize("url", FORBIDDEN_URLS)
def test_a_url_that_is_not_plain_https_is_refused_when_it_is_saved(url: str) -> None:
    assert mistake_in(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://example.com", "example.com", 443, "/"),
        ("https://Example.com:8443/hook?a=1&b=%20", "example.com", 8443, "/hook?a=1&b=%20"),
        ("https://8.8.8.8/x", "8.8.8.8", 443, "/x"),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443, "/"),
        ("https://xn--exmple-cua.com/", "xn--exmple-cua.com", 443, "/"),
        ("https://[64:ff9b::808:808]/", "64:ff9b::808:808", 443, "/"),
    ],
)
def test_a_public_https_address_is_accepted(url: str, host: str, port: int, path: str) -> None:
    parsed = Receiver.of(url)
    assert (parsed.is_secure, parsed.host, parsed.port, parsed.path) == (True, host, port, path)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::"]
)
def test_link_local_and_multicast_addresses_are_refused_even_if_private_ones_are_allowed(
    address: str,
) -> None:
    assert not may_reach(ipaddress.ip_address(address), private=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "fd00::1", "8.8.8.8"])
def test_a_private_network_is_called_where_that_is_allowed(address: str) -> None:
    assert may_reach(ipaddress.ip_address(address), private=True)


@pytest.mark.django_db
def test_a_forbidden_address_is_refused_as_callback_url(api: APIClient) -> None:
    with pytest.raises(InvalidInput, match="callback_url"):
        tasks.submit("test.script", callback_url="https://127.0.0.1/")
    body = {"kind": "test.script", "callback_url": "https://[::1]/"}
    assert fields(post_json(api, "/api/v1/tasks/", body)) == {
        "callback_url": "Must be on the public Internet."
    }
    in_a_batch = fields(post_json(api, "/api/v1/tasks/batch/", [{"kind": "test.script"}, body]))
    assert list(in_a_batch) == ["1.callback_url"]
    accepted = post_json(
        api, "/api/v1/tasks/", {**body, "callback_url": "https://example.com/hook"}
    )
    assert described(accepted)["callback_url"] == "https://example.com/hook"


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answer DNS look-ups in turn; return the list of names looked up."""
    looked_up: list[str] = []
    look_up = socket.getaddrinfo

    def answer(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if options.get("flags", 0) & socket.AI_NUMERICHOST or not str(host).endswith(".example"):
            return look_up(host, port, *args, **options)
        addresses = answers[min(len(looked_up), len(answers) - 1)]
        looked_up.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return looked_up


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["169.254.169.254"]])
def test_a_name_that_resolves_to_a_forbidden_address_is_refused_when_it_is_called(
    monkeypatch: pytest.MonkeyPatch, receiver: RunningReceiver, settings: Any, addresses: list[str]
) -> None:
    settings.CALLBACK_ALLOW_PRIVATE = False
    names(monkeypatch, addresses)
    to = Receiver(
        is_secure=False,
        host="hook.example",
        port=receiver.port,
        authority=f"hook.example:{receiver.port}",
        path="/",
    )
    with pytest.raises(Refused):
        post(to, body=b"{}", headers={})
    assert receiver.received == []


def test_the_address_that_was_checked_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch, receiver: RunningReceiver
) -> None:
    """The name is looked up once, so a different second answer has no effect."""
    looked_up = names(monkeypatch, ["127.0.0.1"], ["127.9.9.9"])
    to = Receiver.of(receiver.url("/200?x=1", host="rebind.example"))
    assert post(to, body=b"{}", headers={}).status == 200
    assert looked_up == ["rebind.example"]
    (request,) = receiver.received
    assert (request.path, request.body) == ("/200?x=1", "{}")
    assert request.headers["host"] == f"rebind.example:{receiver.port}"


def test_a_name_that_does_not_exist_raises_no_answer() -> None:
    with pytest.raises(NoAnswer):
        resolve("no-such-host.invalid", 443)
