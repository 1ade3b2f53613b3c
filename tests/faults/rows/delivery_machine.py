"""State machine: every verb and statement in any order: R47."""

from __future__ import annotations

import logging

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.lifecycle.machine import TaskLives

EXAMPLES = 2_000
QUICK_EXAMPLES = 200
STEPS = 50
# Print the progress after the first example, and then after this many.
PROGRESS_EVERY = 20


@row(
    "R47",
    title="any order of submit, replace, claim, heartbeat, lease end, finish, stale finish, cancel,"
    " retry, delete, rescue, expire, reconcile, pause, change of a limit",
    promise="every step leaves every task valid",
    target="2,000 examples × 50 steps without a counter-example",
    limit=3600,
)
def any_order_of_moves(system: System, dice: Dice) -> Measured:
    """Have Hypothesis look for an order of moves that breaks a task."""
    # The machine deletes jobs by hand; warnings about their repair are expected.
    logging.getLogger("tasks.lifecycle").setLevel(logging.ERROR)
    steps = examples = 0

    class Counted(TaskLives):
        def teardown(self) -> None:
            nonlocal steps, examples
            steps += self.moves
            examples += 1
            if examples == 1 or examples % PROGRESS_EVERY == 0:
                print(f"R47   {examples:,} example(s), {steps:,} steps", flush=True)
            super().teardown()

    options = settings(
        max_examples=QUICK_EXAMPLES if system.quick else EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(dice.getrandbits(64))(Counted), settings=options)
    return Measured(
        f"no counter-example in {examples:,} examples of up to {STEPS} steps, {steps:,} in all",
        met=examples >= options.max_examples,
    )
