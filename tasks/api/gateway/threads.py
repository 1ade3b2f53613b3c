"""Threads: run Django's synchronous code for an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
_Work = tuple[Callable[[], Result], asyncio.Future[Result]]


class Threads(Generic[Result]):
    """Up to `limit` threads, each started when all others are busy; to be used by one event loop.

    `run_in_executor` would do the same with three futures and four locks for each request.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._queue = SimpleQueue[_Work[Result]]()
        self._running = 0
        self._started = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run a function in a thread; return its result or raise its error."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._running += 1
        if self._running > self._started and self._started < self._limit:
            self._started += 1
            name = f"request-{self._started}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()
        self._queue.put((work, future))
        try:
            return await future
        finally:
            self._running -= 1

    def _serve(self) -> None:
        while True:
            work, future = self._queue.get()
            result: Result | None = None
            error: BaseException | None = None
            try:
                result = work()
            except BaseException as raised:  # it belongs to the one who waits
                error = raised
            future.get_loop().call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    # The server may have cancelled the request because its client left.
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
