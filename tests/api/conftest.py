"""Fixtures of the API's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.echo_process import EchoServer, running_echo_server


@pytest.fixture(scope="package")
def server() -> Iterator[EchoServer]:
    """The real server in front of the echo routes."""
    with running_echo_server() as echo:
        yield echo
