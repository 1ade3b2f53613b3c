"""The lifecycle of tasks: the verbs, which are all that changes a task."""

from __future__ import annotations

from tasks.lifecycle.batches import submit_many
from tasks.lifecycle.enqueue import submit
from tasks.lifecycle.preparation import prepare
from tasks.lifecycle.pruning import prune, prune_batches
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

__all__ = [
    "RECONCILE_LIMIT",
    "RESCUE_LOCK",
    "cancel",
    "cancel_many",
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
    "retry_many",
    "stage",
    "submit",
    "submit_many",
]
