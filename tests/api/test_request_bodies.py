"""The bodies that one process holds: how much memory they may use together."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from tasks.api.gateway.refusal import Refused
from tasks.api.gateway.request_body import LARGE_BODIES_BYTES, SMALL_BYTES, RequestBodies
from tasks.api.parsers import MAX_BODY_BYTES
from tasks.api.problems import REQUEST_TIMEOUT, TOO_MANY_LARGE_BODIES

CHUNKED = [(b"transfer-encoding", b"chunked")]
MOST = LARGE_BODIES_BYTES // MAX_BODY_BYTES


def run_in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Return a test that runs a coroutine to its end."""

    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


def client(*pieces: bytes, stalls: bool = False) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return an ASGI `receive` that yields these pieces, and then stalls or ends."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        if left:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or stalls}
        await asyncio.Event().wait()
        raise AssertionError

    return receive


@run_in_a_loop
async def test_large_bodies_are_refused_while_others_fill_the_memory() -> None:
    bodies = RequestBodies(timeout=60)
    large = b"x" * MAX_BODY_BYTES
    stalled = [
        asyncio.ensure_future(bodies.read(CHUNKED, client(large, stalls=True))) for _ in range(MOST)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await bodies.read(CHUNKED, client(large))
    assert refused.value.type is TOO_MANY_LARGE_BODIES
    assert refused.value.headers == {"Retry-After": "1"}
    small = await bodies.read(CHUNKED, client(b"x" * SMALL_BYTES))
    assert len(small.content) == SMALL_BYTES
    for read in stalled:
        read.cancel()
    await asyncio.wait(stalled)
    assert (await bodies.read(CHUNKED, client(large))).content == large


@run_in_a_loop
async def test_a_body_counts_until_its_request_is_done() -> None:
    bodies = RequestBodies(timeout=60)
    large = b"x" * MAX_BODY_BYTES
    held = [await bodies.read(CHUNKED, client(large)) for _ in range(MOST)]
    with pytest.raises(Refused):
        await bodies.read(CHUNKED, client(large))
    for body in held:
        body.close()
    assert (await bodies.read(CHUNKED, client(large))).content == large


@run_in_a_loop
async def test_bodies_that_are_too_late_count_no_longer() -> None:
    bodies = RequestBodies(timeout=0.05)
    large = b"x" * MAX_BODY_BYTES
    reads = [bodies.read(CHUNKED, client(large, stalls=True)) for _ in range(MOST)]
    refusals = await asyncio.gather(*reads, return_exceptions=True)
    assert {refusal.type for refusal in refusals if isinstance(refusal, Refused)} == {
        REQUEST_TIMEOUT
    }
    assert (await bodies.read(CHUNKED, client(large))).content == large


@run_in_a_loop
async def test_nothing_is_read_beyond_the_announced_length() -> None:
    body = await RequestBodies(timeout=60).read(
        [(b"content-length", b"4")], client(b"ab", b"cd", stalls=True)
    )
    assert body.content == b"abcd"
