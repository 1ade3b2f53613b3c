"""Threads whose end an event loop can await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_thread(name: str, function: Callable[..., Result], *args: Any) -> asyncio.Future[Result]:
    """Run a function in a thread of its own; return a future of its result or error.

    The process may exit while it runs: `asyncio.to_thread` would wait for it.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = function(*args)
        except BaseException as error:  # raised where the future is awaited
            _call(loop, _fail, future, error)
        else:
            _call(loop, _end, future, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> None:
    with suppress(RuntimeError):  # the loop is closed, so nothing awaits the future
        loop.call_soon_threadsafe(function, *args)


def _end(future: asyncio.Future[Result], result: Result) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
