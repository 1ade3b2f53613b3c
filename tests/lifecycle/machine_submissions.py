"""R47: the ways in which tasks are submitted."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from tasks import lifecycle
from tasks.kinds import Unique
from tests.lifecycle.known import LATER, Known

QUEUES = ("first", "second")
ORDERED = "test.ordered"


class Submissions(RuleBasedStateMachine):
    """Tasks of all sorts, and the model of each."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[uuid.UUID, Known] = {}
        # Broken by hand, until a claim, the reconciler or a newer request repairs it.
        self.jobless: set[uuid.UUID] = set()

    @initialize(target=ids)
    def begin(self) -> Any:
        return multiple(*(self.submit("first", n, n, None) for n in (1, 2, 3)))

    @rule(
        target=ids,
        queue=st.sampled_from(QUEUES),
        priority=st.integers(-1, 1),
        max_attempts=st.integers(1, 3),
        delay=st.sampled_from([None, 0.0, LATER]),
    )
    def submit(
        self, queue: str, priority: int, max_attempts: int, delay: float | None
    ) -> uuid.UUID:
        task = lifecycle.submit(
            "test.script", queue=queue, priority=priority, max_attempts=max_attempts, delay=delay
        )
        self.known[task.id] = Known(task.id, queue, max_attempts, due=not delay)
        return task.id

    @rule(
        target=ids,
        key=st.sampled_from(["a", "b"]),
        hold=st.sampled_from(["waiting", "unfinished"]),
        replaces=st.booleans(),
        queue=st.sampled_from(QUEUES),
        max_attempts=st.integers(1, 3),
        delay=st.sampled_from([None, LATER]),
    )
    def submit_unique(
        self,
        key: str,
        hold: str,
        replaces: bool,
        queue: str,
        max_attempts: int,
        delay: float | None,
    ) -> uuid.UUID:
        """Submit a task that may exist already: then it is returned, as it is or as requested."""
        replaces = replaces and hold == "waiting"
        unique = Unique(key=key, while_=hold, on_conflict="replace" if replaces else "existing")
        holders = [task for task in self.known.values() if task.key == (key, hold)]
        task = lifecycle.submit(
            "test.script", queue=queue, max_attempts=max_attempts, delay=delay, unique=unique
        )
        assert (task.unique_conflict != "") == bool(holders)
        if not holders:
            assert task.id not in self.known
            self.known[task.id] = Known(
                task.id, queue, max_attempts, due=not delay, key=(key, hold)
            )
            return task.id
        (holder,) = holders
        assert task.id == holder.id
        if replaces:
            holder.replaced(queue, max_attempts, due=not delay)
            self.jobless.discard(holder.id)
        return holder.id

    @rule(target=ids, priority=st.integers(-1, 1), delay=st.sampled_from([None, LATER]))
    def submit_ordered(self, priority: int, delay: float | None) -> uuid.UUID:
        """Submit a task that starts when those before it have ended."""
        task = lifecycle.submit(
            ORDERED, {"fails": 0}, priority=priority, max_attempts=2, delay=delay
        )
        self.known[task.id] = Known(task.id, task.queue, 2, due=not delay, ordered=True)
        return task.id

    @rule(target=ids, max_attempts=st.integers(1, 2))
    def submit_workflow(self, max_attempts: int) -> Any:
        """Submit two tasks of which the second starts when the first has completed."""
        options = {"max_attempts": max_attempts, "queue": "first"}
        batch = lifecycle.submit_workflow(
            {
                "a": lifecycle.Node(kind="test.script", options=options),
                "b": lifecycle.Node(kind="test.script", after=["a"], options=options),
            }
        )
        assert batch.nodes
        first, second = batch.nodes["a"], batch.nodes["b"]
        self.known[first] = Known(first, "first", max_attempts, due=True)
        self.known[second] = Known(
            second, "first", max_attempts, due=False, after=first, waits=True
        )
        return multiple(first, second)

    @rule(target=ids, queue=st.sampled_from(QUEUES))
    def submit_expiring(self, queue: str) -> uuid.UUID:
        """Submit a task that is cancelled when time passes before its first claim."""
        task = lifecycle.submit("test.script", queue=queue, max_attempts=2, expires_in=LATER)
        self.known[task.id] = Known(task.id, queue, 2, due=True, expires=True)
        return task.id
