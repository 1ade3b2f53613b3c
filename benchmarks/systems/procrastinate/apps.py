from __future__ import annotations

from django.apps import AppConfig


class ProcrastinatePeer(AppConfig):
    """The peer's app; its label is not the library's."""

    name = "benchmarks.systems.procrastinate"
    label = "procrastinate_peer"
