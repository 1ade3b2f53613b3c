"""The table of kinds: what each is called, where it waits, how long it may run."""

from __future__ import annotations

from analysis.compute import handler as compute
from analysis.summarize import handler as summarize
from analysis.text import handler as text
from analysis.vectors import handler as vectors
from tasks.kinds import kind

kind(
    "text.analyze",
    input=text.INPUT,
    queue="default",
    soft_time_limit=120,
    time_limit=120,
    batchable=True,
)(text.handle)

kind(
    "compute",
    input=compute.INPUT,
    queue="default",
    isolation="process",
    # MiB; the largest sieve takes a tenth of it.
    memory_limit=256,
    soft_time_limit=110,
    time_limit=120,
)(compute.handle)

kind(
    "vectors.index",
    input=vectors.INPUT,
    queue="default",
    # The vectors are stored if and only if the task is completed.
    transactional=True,
    soft_time_limit=110,
    time_limit=120,
)(vectors.handle)

kind(
    "text.summarize",
    input=summarize.INPUT,
    queue="llm",
    soft_time_limit=290,
    time_limit=300,
)(summarize.handle)
