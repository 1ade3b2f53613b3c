"""Workflows (P14): what the order of a thousand tasks costs, beside the same tasks without one."""

from __future__ import annotations

import sys
from statistics import median

from benchmarks.bench import Bench
from benchmarks.children import run, running
from benchmarks.comparison import take_turns
from benchmarks.results import Figure, Row, at_most
from benchmarks.systems.ours.system import Ours

LAYERS, WIDTH = 25, 40
# Of each task: a call of a service, on workers that have a slot for each task of a layer.
SECONDS = 0.25
SLOTS = 20
ADDED_PERCENT = 20
LIMIT_SECONDS = 600.0


def measure(bench: Bench) -> list[Row]:
    """Run the batch, then the workflow, in each run."""
    ours = Ours(f"this project, 2 × {SLOTS} slots", slots=SLOTS)
    layers = bench.count(LAYERS, least=3)
    with bench.template(ours) as template:

        def once(system: Ours) -> tuple[float, float]:
            with (
                bench.fresh(system, template) as (environment, scratch),
                running(system.work(), environment=environment, log=scratch / "workers.log"),
            ):
                argv = [sys.executable, "-m", "benchmarks.systems.ours.workflow"]
                printed = run(
                    [*argv, str(layers), str(WIDTH), str(SECONDS)],
                    environment=environment,
                    log=scratch / "workflow.log",
                    limit=LIMIT_SECONDS,
                )
                as_batch, as_workflow = map(float, printed.split())
                return as_batch, as_workflow

        (runs,) = take_turns(
            bench,
            [ours],
            once,
            show=lambda times: f"{times[0]:.2f} s as a batch, {times[1]:.2f} s as a workflow",
            name=lambda system: system.name,
        ).values()
    batches = Figure(name="as one batch", runs=[times[0] for times in runs])
    workflows = Figure(name="as a workflow", runs=[times[1] for times in runs])
    added = median(100 * (times[1] / times[0] - 1) for times in runs)
    return [
        Row(
            id="P14",
            title=f"{layers * WIDTH:,} tasks of {SECONDS:g} s, from the submit to the last end",
            unit="s",
            figures=[batches, workflows],
            checks=[at_most("what the order adds", added, ADDED_PERCENT, "%")],
            notes=[
                f"The workflow has {layers} layers of {WIDTH} tasks, each of which waits for two of"
                " the layer before."
            ],
        )
    ]
