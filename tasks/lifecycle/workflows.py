"""Workflows: tasks of which some wait for others, submitted in one request, all or none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db import transaction

from tasks.errors import FieldError, InvalidInput, UnknownKind
from tasks.lifecycle.enqueue import insert, unless_reused
from tasks.lifecycle.expansion import GATHER
from tasks.lifecycle.preparation import prepare, prepare_unchecked
from tasks.lifecycle.telemetry import emit_submitted
from tasks.models import Batch, Dependency
from tasks.models.batch import OnFailure
from tasks.references import (
    ITEM,
    NODE_NAME,
    NODE_RULE,
    RESULT,
    Reference,
    references_in,
)
from tasks.submission import Owned, Submission, checked_options

NODES_LIMIT = 10_000


@dataclass(frozen=True, kw_only=True)
class Node:
    """A task of a workflow: what it does, and after which others.

    Its input may hold references to the results of others, after which it then starts. With `map`,
    a reference to a list, there is one task for each item.
    """

    kind: str
    input: dict[str, Any] = field(default_factory=dict)
    after: Sequence[str] = ()
    # What becomes of those after it when it fails: they are cancelled, or start all the same.
    on_failure: str = OnFailure.STOP
    map: dict[str, Any] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def submit_workflow(
    nodes: Mapping[str, Node],
    *,
    name: str = "",
    callback_url: str = "",
    owner: User | None = None,
    idempotency_key: str | None = None,
) -> Batch:
    """Queue a workflow; `batch.nodes` has the ids of its tasks by their names.

    Raises InvalidInput naming the nodes and fields; KeyReused for an idempotency key that belongs
    to another request.
    """
    submissions, after = _prepared(nodes)
    batch = Batch(
        owner=owner, total=len(nodes), name=name, callback_url=callback_url, is_workflow=True,
        is_awaited=True,
    )  # fmt: skip
    if idempotency_key is not None:
        batch.idempotency_key = checked_options({"idempotency_key": idempotency_key})[
            "idempotency_key"
        ]
        batch.fingerprint = _fingerprint(nodes, name, callback_url)
        batch.submitted_ids = [new.id for new in submissions.values()]
    with transaction.atomic():
        Batch.objects.bulk_create([batch], ignore_conflicts=idempotency_key is not None)
        if idempotency_key is not None and not Batch.objects.filter(pk=batch.pk).exists():
            keyed = Batch.objects.filter(owner=owner, idempotency_key=idempotency_key)
            if earlier := unless_reused(keyed.first(), batch.fingerprint):
                earlier.nodes = dict(zip(nodes, earlier.submitted_ids or [], strict=False))
                return earlier
        insert([Owned(new, batch.owner_id) for new in submissions.values()], batch_id=batch.id)
        Dependency.objects.bulk_create(
            Dependency(
                batch=batch,
                task_id=submissions[node].id,
                on_id=submissions[before].id,
                needs_success=nodes[before].on_failure == OnFailure.STOP,
            )
            for node, befores in after.items()
            for before in befores
        )
        for new in submissions.values():
            transaction.on_commit(partial(emit_submitted, new))
    batch.nodes = {node: new.id for node, new in submissions.items()}
    return batch


def _prepared(
    nodes: Mapping[str, Node],
) -> tuple[dict[str, Submission], dict[str, tuple[str, ...]]]:
    """Return the submissions of the nodes, and after which others each starts."""
    errors: list[FieldError] = []
    if not 1 <= len(nodes) <= NODES_LIMIT:
        raise InvalidInput([FieldError("tasks", f"Use 1 to {NODES_LIMIT:,} tasks.")])
    submissions: dict[str, Submission] = {}
    after: dict[str, tuple[str, ...]] = {}
    for name, node in nodes.items():
        try:
            after[name] = _after(name, node, nodes)
            submissions[name] = _submission(name, node, waits=bool(after[name]))
        except UnknownKind as error:
            errors.append(FieldError(f"tasks.{name}.kind", str(error)))
        except InvalidInput as error:
            errors += error.moved("", f"tasks.{name}.").errors
    if not errors:
        try:
            TopologicalSorter(after).prepare()
        except CycleError as error:
            circle = " after ".join(reversed(error.args[1]))
            errors.append(FieldError("tasks", f"The tasks wait for each other: {circle}."))
    if errors:
        raise InvalidInput(errors)
    return submissions, after


def _after(name: str, node: Node, nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Return the nodes that a node names, in `after` or by references; raise InvalidInput."""
    if not NODE_NAME.fullmatch(name):
        raise InvalidInput([FieldError("", f"The name is not valid. {NODE_RULE}")])
    named = dict.fromkeys(node.after)
    for reference in _references(node):
        named[reference.name] = None
    if unknown := [each for each in named if each not in nodes]:
        mistake = f"There is no task named {unknown[0]} in this workflow."
        raise InvalidInput([FieldError("after", mistake)])
    return tuple(named)


def _references(node: Node) -> list[Reference]:
    """Return the references to results; raise InvalidInput for others."""
    found = list(references_in(node.input))
    if node.map is not None:
        of_map = list(references_in(node.map, place="map"))
        if len(of_map) != 1 or of_map[0].place != "map" or of_map[0].word != RESULT:
            mistake = f'Must be a reference to a list, such as {{"{RESULT}": "fetch.items"}}.'
            raise InvalidInput([FieldError("map", mistake)])
        found += of_map
    allowed = (RESULT, ITEM) if node.map is not None else (RESULT,)
    for reference in found:
        if reference.word not in allowed:
            raise InvalidInput(
                [FieldError(reference.place, f"{reference.word} cannot be used here.")]
            )
    return [reference for reference in found if reference.word == RESULT]


def _submission(name: str, node: Node, *, waits: bool) -> Submission:
    if node.map is not None:
        # Checked as far as it can be; each task is checked when the list is known.
        prepare_unchecked(node.kind, node.input, **node.options)
        template = {
            "map": node.map,
            "kind": node.kind,
            "input": node.input,
            "options": node.options,
            "needs_success": node.on_failure == OnFailure.STOP,
        }
        new = prepare_unchecked(GATHER, template)
    elif any(True for _ in references_in(node.input)):
        new = prepare_unchecked(node.kind, node.input, **node.options)
    else:
        new = prepare(node.kind, node.input, **node.options)
    # A unique task might be another workflow's, or be replaced from outside.
    return replace(new, node=name, is_awaited=True, waits=waits, unique=None)


def _fingerprint(nodes: Mapping[str, Node], name: str, callback_url: str) -> str:
    document = {
        "nodes": {node: vars(nodes[node]) for node in nodes},
        "name": name,
        "callback_url": callback_url,
    }
    canonical = orjson.dumps(document, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(canonical).hexdigest()
