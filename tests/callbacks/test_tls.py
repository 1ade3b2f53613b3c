"""TLS: a receiver must prove the name that was called, whatever its address."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.callback_address import Receiver
from tasks.callbacks import post
from tasks.callbacks.post import NoAnswer
from tests.callbacks import receiver as receivers
from tests.callbacks.receiver import Receiver as RunningReceiver

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to certify")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a key and a certificate for the name localhost."""
    key, certified = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", certified, "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + certified.read_text())
    return both


@pytest.fixture
def secure(certificate: Path, settings: Any) -> Iterator[RunningReceiver]:
    """Return a receiver that speaks TLS."""
    settings.CALLBACK_ALLOW_PRIVATE = True
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with receivers.receiver(lambda bare: context.wrap_socket(bare, server_side=True)) as running:
        yield running


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the system trust the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    post._tls.cache_clear()
    yield
    post._tls.cache_clear()


def send(url: str) -> int:
    return post.post(Receiver.of(url), body=b"{}", headers={}).status


@pytest.mark.usefixtures("trusted")
def test_the_certificate_must_prove_the_name_that_was_called(secure: RunningReceiver) -> None:
    assert send(secure.url("/204", host="localhost")) == 204
    assert secure.received[0].headers["host"] == f"localhost:{secure.port}"
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        send(secure.url("/204", host="127.0.0.1"))


def test_a_receiver_with_an_untrusted_certificate_is_sent_nothing(secure: RunningReceiver) -> None:
    with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
        send(secure.url("/204", host="localhost"))
    assert secure.received == []


@pytest.mark.usefixtures("trusted")
def test_an_answer_that_never_ends_is_cut_off_over_tls_too(
    secure: RunningReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "TOTAL_LIMIT", 0.5)
    for path in ("/silent", "/drip"):
        with pytest.raises(NoAnswer, match="in time"):
            send(secure.url(path, host="localhost"))
