"""The lifecycle of tasks: the verbs, which are all that changes a task."""

from __future__ import annotations

from tasks.lifecycle.batches import (
    Following,
    add_members,
    cancel_batch,
    close_batch,
    retry_batch,
    submit_many,
)
from tasks.lifecycle.enqueue import submit
from tasks.lifecycle.preparation import prepare
from tasks.lifecycle.pruning import prune, prune_batches
from tasks.lifecycle.settling import settle
from tasks.lifecycle.staging import stage
from tasks.lifecycle.verbs import (
    RECONCILE_LIMIT,
    RESCUE_LOCK,
    cancel,
    cancel_many,
    delete,
    delete_many,
    expire,
    finish,
    forget_workers,
    move_matching,
    pause_queue,
    reconcile,
    rescue,
    reset,
    resume_queue,
    retry,
    retry_many,
)
from tasks.lifecycle.workflows import Node, submit_workflow

__all__ = [
    "RECONCILE_LIMIT",
    "RESCUE_LOCK",
    "Following",
    "Node",
    "add_members",
    "cancel",
    "cancel_batch",
    "cancel_many",
    "close_batch",
    "delete",
    "delete_many",
    "expire",
    "finish",
    "forget_workers",
    "move_matching",
    "pause_queue",
    "prepare",
    "prune",
    "prune_batches",
    "reconcile",
    "rescue",
    "reset",
    "resume_queue",
    "retry",
    "retry_batch",
    "retry_many",
    "settle",
    "stage",
    "submit",
    "submit_many",
    "submit_workflow",
]
