"""Steps: tasks that are described first and submitted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from django.contrib.auth.models import User

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare, prepare_unchecked
from tasks.models import Batch
from tasks.models.batch import OnFailure
from tasks.references import RESULT, Reference, references_in, replaced
from tasks.submission import Options, Submission

# The name of the step before, in a reference of a chain.
PREVIOUS = "previous"


@dataclass(frozen=True, kw_only=True)
class Step(lifecycle.Node):
    """A task that is not submitted yet."""


def step(
    kind: str,
    input: dict[str, Any] | None = None,
    *,
    after: Sequence[str] = (),
    on_failure: str = OnFailure.STOP,
    map: dict[str, Any] | None = None,
    **options: Unpack[Options],
) -> Step:
    """Describe a task of a workflow; its input may hold references to results of others.

    With `map`, a reference to a list, it is repeated for each item. What becomes of those after it
    when it fails: they are cancelled (`stop`), or start all the same (`continue`).
    """
    return Step(
        kind=kind,
        input=input or {},
        after=tuple(after),
        on_failure=on_failure,
        map=map,
        options=dict(options),
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A workflow that is not submitted yet."""

    nodes: Mapping[str, lifecycle.Node]

    def submit(
        self,
        *,
        name: str = "",
        callback_url: str = "",
        owner: User | None = None,
        idempotency_key: str | None = None,
    ) -> Batch:
        """Queue all tasks, or none: see `lifecycle.submit_workflow`."""
        return lifecycle.submit_workflow(
            self.nodes,
            name=name,
            callback_url=callback_url,
            owner=owner,
            idempotency_key=idempotency_key,
        )


@dataclass(frozen=True, kw_only=True)
class Group:
    """A batch that is not submitted yet."""

    steps: Sequence[Step]
    then: Step | None = None
    following: lifecycle.Following = field(default_factory=lifecycle.Following)

    def submit(self, *, owner: User | None = None, idempotency_key: str | None = None) -> Batch:
        """Queue all tasks, or none: see `lifecycle.submit_many`."""
        then = _submission(self.then) if self.then else None
        return lifecycle.submit_many(
            [_submission(each) for each in self.steps],
            owner=owner,
            idempotency_key=idempotency_key,
            following=replace(self.following, then=then),
        )


def workflow(**steps: Step) -> Plan:
    """Describe tasks by their names, of which some start after others."""
    return Plan(nodes=steps)


def chain(*steps: Step) -> Plan:
    """Describe tasks that run one after another.

    `{"$result": "previous.path"}` in an input is a part of the result of the step before. The tasks
    are named `step_1`, `step_2` and so on.
    """
    nodes: dict[str, lifecycle.Node] = {}
    before = ""
    for number, each in enumerate(steps, start=1):
        after = (*each.after, before) if before else each.after
        nodes[f"step_{number}"] = replace(each, input=_named(each.input, before), after=after)
        before = f"step_{number}"
    return Plan(nodes=nodes)


def group(
    *steps: Step, name: str = "", callback_url: str = "", on_failure: str = OnFailure.CONTINUE
) -> Group:
    """Describe tasks that run beside each other, as a batch."""
    following = lifecycle.Following(name=name, callback_url=callback_url, on_failure=on_failure)
    return Group(steps=steps, following=following)


def chord(
    steps: Sequence[Step],
    *,
    then: Step,
    name: str = "",
    callback_url: str = "",
    on_failure: str = OnFailure.STOP,
) -> Group:
    """Describe tasks that run beside each other, and one that starts when all have completed.

    `{"$batch": "results"}` in its input is the list of their results, in their order.
    """
    following = lifecycle.Following(name=name, callback_url=callback_url, on_failure=on_failure)
    return Group(steps=steps, then=then, following=following)


def _named(input: dict[str, Any], before: str) -> dict[str, Any]:
    """Return an input with the name of the step before in its references."""

    def look_up(reference: Reference) -> dict[str, str]:
        is_previous = reference.word == RESULT and reference.name == PREVIOUS and before
        return (reference._replace(name=before) if is_previous else reference).document()

    if not any(each.word == RESULT for each in references_in(input)):
        return input
    named: dict[str, Any] = replaced(input, look_up)
    return named


def _submission(each: Step) -> Submission:
    has_references = any(True for _ in references_in(each.input))
    return (prepare_unchecked if has_references else prepare)(each.kind, each.input, **each.options)
