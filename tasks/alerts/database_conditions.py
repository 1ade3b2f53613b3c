"""Conditions of the database and its server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from django.conf import settings

from tasks.alerts.finding import Finding
from tasks.alerts.readings import Readings
from tasks.formatting import duration
from tasks.models import AlertRule

_GIB = 2**30


class NotReadable(Exception):
    """The condition cannot be read in this installation; the message is a sentence."""


def disk(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield how full the disk of the embedded database is; raise NotReadable for another."""
    if settings.EMBEDDED is None:
        raise NotReadable(
            "The disk of a database in DATABASE_URL cannot be read: use database_size."
        )
    usage = shutil.disk_usage(settings.DATA_DIR)
    # As `df`: what is free for root alone counts as used.
    percent = 100 * (1 - usage.free / (usage.used + usage.free))
    yield Finding(
        subject=str(settings.DATA_DIR),
        value=round(percent, 1),
        sentence=f"The disk of the database is {percent:.0f} % full:"
        f" {usage.free / _GIB:,.1f} GiB are free.",
    )


def size(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the size of the database in GiB."""
    figures = readings.database
    gibibytes = figures.bytes / _GIB
    yield Finding(
        subject=figures.name,
        value=round(gibibytes, 3),
        sentence=f"The database {figures.name} has {gibibytes:,.3f} GiB.",
    )


def xmin(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield how many transactions ago the oldest snapshot in use was taken, and what holds it."""
    figures = readings.database
    for oldest in readings.snapshot_holders[:1]:
        yield Finding(
            subject=figures.name,
            value=oldest.transactions,
            sentence=f"The oldest snapshot is from {oldest.transactions:,} transactions ago, so"
            " that vacuum cannot remove what was deleted since. What holds it:"
            f" {oldest.holder}, {oldest.name or 'without a name'}. The oldest transaction has been"
            " open for"
            f" {duration(figures.oldest_transaction_seconds)}.",
        )


def connections(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the share of the server's connections that are in use."""
    figures = readings.database
    percent = 100 * figures.connections / figures.max_connections
    yield Finding(
        subject=figures.name,
        value=round(percent, 1),
        sentence=f"{figures.connections:,} of {figures.max_connections:,} connections to the"
        f" database are in use ({percent:.0f} %).",
    )
