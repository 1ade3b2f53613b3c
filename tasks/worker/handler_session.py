"""The database sessions that a handler uses: what it leaves in them ends with its attempt."""

from __future__ import annotations

import logging
import threading
import uuid

from django.db import DEFAULT_DB_ALIAS, connections

from tasks.worker.slot_connection import SlotConnection

log = logging.getLogger(__name__)


class _Slot(threading.local):
    """The connections of one thread, to all databases."""

    def __init__(self) -> None:
        self.connections = [SlotConnection(alias) for alias in connections]


_slot = _Slot()


def watch_sessions() -> None:
    """Notice from now on what this thread changes in its database sessions."""
    for connection in _slot.connections:
        connection.begin()


def begin_in_transaction() -> None:
    """Regard the transaction that is open in the default database as the worker's own."""
    for connection in _slot.connections:
        if connection.alias == DEFAULT_DB_ALIAS:
            connection.begin_in_transaction()


def require_no_open_transaction() -> None:
    """Raise RuntimeError when the handler left a transaction open, or ended the worker's own."""
    for connection in _slot.connections:
        connection.require_no_open_transaction()


def renew_changed_sessions(task_id: uuid.UUID) -> None:
    """Replace each connection that is not as it was: the next attempt gets a new one.

    Costs no query. Not noticed are lasting settings by statements that bypass Django's cursors.
    """
    for connection in _slot.connections:
        if not connection.is_as_new():
            if connection.has_open_transaction():
                log.warning(
                    "the handler left a transaction open; what it wrote there is rolled back",
                    extra={"task_id": str(task_id), "database": connection.alias},
                )
            connection.renew()
