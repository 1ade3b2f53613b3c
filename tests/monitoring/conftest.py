from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks.counts import counts


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    """Discard what this process has counted in other tests."""
    counts.take()
    yield
    counts.take()
