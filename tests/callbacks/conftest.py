from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tasks.callbacks import host_limits
from tests.callbacks import receiver as receivers
from tests.callbacks.receiver import Receiver


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Return a running receiver that callbacks may reach."""
    settings.CALLBACK_ALLOW_PRIVATE = True
    host_limits.reset()
    host_limits.set_capacity(settings.WORKER_CONCURRENCY)
    with receivers.receiver() as running:
        yield running
