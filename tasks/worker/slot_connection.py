"""Slot connection: one database of a slot, and what an attempt has changed in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections
from django.db.backends.signals import connection_created
from django.db.transaction import TransactionManagementError
from django.dispatch import receiver
from django.utils.functional import cached_property
from psycopg.pq import TransactionStatus
from psycopg.sql import Composable

from tasks.worker.statements import ends_transaction, is_lasting

# Further in, a statement is data, not code.
_SEARCHED = 10_000
# Compared one by one: the hash of an enumeration's member costs more.
_NOT_OPEN = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)
# What ordinary work changes in Django's wrapper; the next transaction or connection sets it again.
_WRAPPER_PASSING = {
    "connection", "autocommit", "savepoint_state", "commit_on_exit", "rollback_exc", "close_at",
    "errors_occurred", "health_check_enabled", "health_check_done", "isolation_level",
    "run_commit_hooks_on_set_autocommit_on", "_named_cursor_idx",
}  # fmt: skip
# And in psycopg's connection.
_DRIVER_PASSING = {"_begin_statement", "_notifies_backlog"}


class Unchanged:
    """The attributes of an object as they were, to notice that some were changed."""

    def __init__(self, subject: Any, passing: set[str]) -> None:
        self._names = passing
        # Lists are copied, because they are changed in place.
        self._seen = {
            name: value[:] if type(value) is list else value
            for name, value in _attributes(subject).items()
        }
        self._passing = {name: self._seen[name] for name in passing if name in self._seen}

    def matches(self, subject: Any) -> bool:
        """Return whether only such attributes were changed as ordinary work changes."""
        state = _attributes(subject)
        if state == self._seen:
            return True
        for name in state.keys() - self._seen.keys():
            if name in self._names or isinstance(
                getattr(type(subject), name, None), cached_property
            ):
                self._seen[name] = self._passing[name] = state[name]
        if {**state, **self._passing} != self._seen:
            return False
        # So that the next comparison, of an attempt that changes nothing more, is the short one.
        self._passing = {name: state[name] for name in self._passing}
        self._seen.update(self._passing)
        return True


# Psycopg's connections as they were when Django had opened them.
_opened: WeakKeyDictionary[Any, Unchanged] = WeakKeyDictionary()


@receiver(connection_created)
def _note_opened(connection: Any, **_: Any) -> None:
    _opened[connection.connection] = Unchanged(connection.connection, _DRIVER_PASSING)


class SlotConnection:
    """Django's connection of one slot to one database.

    Its wrapper around statements stays in place, because adding it for each attempt costs more
    than a small task.
    """

    _wrapper: Any
    _driver: Any
    _driver_unchanged: Unchanged | None

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._take_wrapper()
        self.begin()

    def begin(self) -> None:
        """Notice from now on what an attempt changes."""
        self._has_lasting_change = False
        self._has_run = False
        self._own_blocks: tuple[Any, ...] = ()

    def begin_in_transaction(self) -> None:
        """Regard the transaction that is open now as the worker's, not the handler's."""
        self._own_blocks = tuple(self._wrapper.atomic_blocks)
        self._has_run = False

    def has_open_transaction(self) -> bool:
        """Return whether a transaction is open, or was when the connection was lost."""
        return self._wrapper.in_atomic_block or self._status() not in _NOT_OPEN

    def require_no_open_transaction(self) -> None:
        """Raise RuntimeError when a handler left a transaction open, or ended the worker's."""
        if not self._own_blocks:
            is_left, is_over = self.has_open_transaction(), False
        else:
            added = len(self._wrapper.atomic_blocks) - len(self._own_blocks)
            is_left = added > 0
            is_over = added < 0 or (self._has_run and self._status() == TransactionStatus.IDLE)
        if is_over:
            raise RuntimeError(
                f'The handler ended the transaction of its attempt in the database "{self.alias}".'
            )
        if is_left:
            raise RuntimeError(
                f'The handler left a transaction open in the database "{self.alias}"; what it '
                "wrote there is rolled back."
            )

    def is_as_new(self) -> bool:
        """Return whether the next attempt can use the connection; costs no query."""
        driver = self._wrapper.connection
        if driver is not self._driver:
            self._driver = driver
            self._driver_unchanged = None if driver is None else _opened.get(driver)
        return (
            not self._has_lasting_change
            and self._unchanged.matches(self._wrapper)
            and (
                driver is None
                or (
                    self._status() == TransactionStatus.IDLE
                    and self._wrapper.autocommit == self._wrapper.settings_dict["AUTOCOMMIT"]
                    and self._driver_unchanged is not None
                    and self._driver_unchanged.matches(driver)
                )
            )
        )

    def renew(self) -> None:
        """Replace the connection; the server rolls back what is open."""
        if (driver := self._wrapper.connection) is not None:
            with contextlib.suppress(Exception):
                driver.close()
        # Not `close()`: within a transaction Django keeps the closed connection.
        with contextlib.suppress(AttributeError):
            del connections[self.alias]
        self._take_wrapper()

    def _take_wrapper(self) -> None:
        self._wrapper = connections[self.alias]
        self._wrapper.execute_wrappers.append(self._execute)
        self._unchanged = Unchanged(self._wrapper, _WRAPPER_PASSING)
        self._driver = None
        self._driver_unchanged = None

    def _status(self) -> TransactionStatus:
        # Databases that are not PostgreSQL have no such status.
        server = getattr(self._wrapper.connection, "pgconn", None)
        return TransactionStatus.IDLE if server is None else server.transaction_status

    def _execute(self, run: Callable[..., Any], sql: Any, *rest: Any) -> Any:
        text = sql.as_string() if isinstance(sql, Composable) else sql
        if isinstance(text, str):
            text = text[:_SEARCHED]
            if is_lasting(text):
                self._has_lasting_change = True
            if self._own_blocks and ends_transaction(text):
                raise TransactionManagementError(
                    "A handler with transactional=True must not end its transaction: what it "
                    "writes is committed together with its finish."
                )
        self._has_run = True
        return run(sql, *rest)


def _attributes(subject: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = getattr(subject, "__dict__", {})
    return attributes
