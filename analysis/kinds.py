"""Kinds of the analysis app: name, queue, priority and limits of each."""

from __future__ import annotations

from analysis.compute import handler as compute
from analysis.conversations import batch
from analysis.conversations import handler as conversations
from analysis.maintenance import cleanup
from analysis.reports import conversations as conversations_report
from analysis.reports import performance as performance_report
from analysis.summarize import handler as summarize
from analysis.text import handler as text
from analysis.vectors import handler as vectors
from analysis.webhooks import receive, respond
from analysis.webhooks.platforms import PLATFORMS
from tasks.kinds import kind

kind(
    "text.analyze",
    input=text.INPUT,
    queue="default",
    soft_time_limit=120,
    time_limit=120,
)(text.handle)

kind(
    "compute",
    input=compute.INPUT,
    queue="default",
    isolation="process",
    # MiB; the largest sieve needs a tenth of it.
    memory_limit=256,
    soft_time_limit=110,
    time_limit=120,
)(compute.handle)

kind(
    "vectors.index",
    input=vectors.INPUT,
    queue="default",
    # The vectors are stored if and only if the task completes.
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

# Users wait for these: before all others.
for _name, _input, _handler in (
    ("conversation.message", conversations.MESSAGE_INPUT, conversations.handle_message),
    ("conversation.interaction", conversations.INTERACTION_INPUT, conversations.handle_interaction),
    ("conversation.continue", conversations.CONTINUE_INPUT, conversations.handle_continue),
):
    kind(
        _name,
        input=_input,
        queue="conversations",
        priority=10,
        soft_time_limit=300,
        time_limit=600,
    )(_handler)

kind(
    "conversation.batch_analysis",
    input=batch.INPUT,
    queue="analytics",
    soft_time_limit=590,
    time_limit=600,
)(batch.handle)

for _platform in PLATFORMS.values():
    kind(
        _platform.kind,
        input=receive.input_of(_platform),
        description=f"Receive an event of {_platform.name.label} and answer each message.",
        queue="webhooks",
        priority=5,
        # An event is stored as received if and only if the task that answers it is submitted.
        transactional=True,
        soft_time_limit=110,
        time_limit=120,
    )(receive.receiver(_platform))

kind(
    "webhook.respond",
    input=respond.INPUT,
    queue="webhooks",
    priority=5,
    retry=respond.SCHEDULE,
    soft_time_limit=110,
    time_limit=120,
)(respond.respond)

# No user waits for these: after all others.
for _name, _report in (
    ("analytics.conversations", conversations_report),
    ("analytics.performance", performance_report),
):
    kind(
        _name,
        input=_report.INPUT,
        queue="analytics",
        soft_time_limit=300,
        time_limit=600,
    )(_report.handle)

kind(
    "maintenance.cleanup",
    input=cleanup.INPUT,
    queue="analytics",
    soft_time_limit=590,
    time_limit=600,
)(cleanup.handle)
