"""The drawing of a workflow: its tasks as boxes in columns, and what ran when."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from django.utils import timezone

from tasks.models import Batch, Task

# More boxes than this are not drawn: nobody could read them.
DRAWN_LIMIT = 200
# Rows of the table below the drawing.
LISTED_LIMIT = 1_000
WIDTH, HEIGHT, COLUMN_GAP, ROW_GAP, MARGIN = 168, 44, 44, 16, 4
# Letters of a name that fit into a box.
LETTERS = 19
# The time axis, in units of its drawing.
AXIS = 600
NARROWEST = 3.0


@dataclass(frozen=True, kw_only=True)
class Box:
    """A task; `x` and `y` are its upper left corner."""

    task: Task
    url: str
    x: int
    y: int

    @property
    def short_name(self) -> str:
        name = self.task.node or ""
        return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"

    @property
    def text_x(self) -> int:
        return self.x + 12

    @property
    def name_y(self) -> int:
        return self.y + 19

    @property
    def status_y(self) -> int:
        return self.y + 35


@dataclass(frozen=True, kw_only=True)
class Bar:
    """When a task ran, on the time axis; None for one that has not begun."""

    task: Task
    url: str
    after: str
    x: float | None
    width: float


@dataclass(frozen=True, kw_only=True)
class WorkflowGraph:
    """Boxes, the paths between them, and the bars of the time axis."""

    boxes: list[Box]
    paths: list[str]
    bars: list[Bar]
    width: int
    height: int
    seconds: float
    left_out: int

    @property
    def box_width(self) -> int:
        return WIDTH

    @property
    def box_height(self) -> int:
        return HEIGHT

    @property
    def axis(self) -> int:
        return AXIS


def workflow_graph(batch: Batch, *, url_of: Callable[[Task], str]) -> WorkflowGraph:
    """Return the drawing of a workflow's tasks; `url_of` returns the page of one."""
    nodes = batch.tasks.filter(node__isnull=False).order_by("id")
    tasks = list(nodes.defer("input", "result", "metadata")[:LISTED_LIMIT])
    after = _edges(batch, tasks)
    drawn = tasks if len(tasks) <= DRAWN_LIMIT else []
    boxes = _boxes(drawn, after, url_of)
    columns = [box.x for box in boxes]
    rows = [box.y for box in boxes]
    bars, seconds = _bars(batch, tasks, after, url_of)
    return WorkflowGraph(
        boxes=boxes,
        paths=_paths(boxes, after),
        bars=bars,
        width=max(columns, default=0) + WIDTH + MARGIN,
        height=max(rows, default=0) + HEIGHT + MARGIN,
        seconds=seconds,
        left_out=max(0, nodes.count() - len(tasks)),
    )


def _edges(batch: Batch, tasks: Sequence[Task]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Return after which of the others each task starts."""
    after: dict[uuid.UUID, list[uuid.UUID]] = {task.pk: [] for task in tasks}
    parents = {task.pk: task.parent_id for task in tasks}
    for task_id, on_id in batch.dependencies.order_by("id").values_list("task_id", "on_id"):
        if task_id in after and on_id in after:
            after[task_id].append(on_id)
    for task in tasks:
        # The tasks of a list's items start after what their node waited for.
        of_items = [id for id in after[task.pk] if parents[id] == task.pk]
        before = [id for id in after[task.pk] if parents[id] != task.pk]
        if of_items:
            after[task.pk] = of_items
            after.update(dict.fromkeys(of_items, before))
    return after


def _boxes(
    tasks: Sequence[Task],
    after: Mapping[uuid.UUID, list[uuid.UUID]],
    url_of: Callable[[Task], str],
) -> list[Box]:
    """Place each task one column to the right of the last that it waits for, near to those."""
    by_id = {task.pk: task for task in tasks}
    column: dict[uuid.UUID, int] = {}
    in_column: dict[int, list[uuid.UUID]] = defaultdict(list)
    for id in TopologicalSorter({id: after[id] for id in by_id}).static_order():
        column[id] = 1 + max((column[on_id] for on_id in after[id]), default=-1)
        in_column[column[id]].append(id)
    row: dict[uuid.UUID, int] = {}
    for number in sorted(in_column):
        ids = in_column[number]
        ids.sort(key=lambda id: (_middle([row[on_id] for on_id in after[id]]), str(id)))
        row.update({id: place for place, id in enumerate(ids)})
    return [
        Box(
            task=by_id[id],
            url=url_of(by_id[id]),
            x=MARGIN + column[id] * (WIDTH + COLUMN_GAP),
            y=MARGIN + row[id] * (HEIGHT + ROW_GAP),
        )
        for id in sorted(by_id, key=lambda id: (column[id], row[id]))
    ]


def _middle(rows: Sequence[int]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _paths(boxes: Sequence[Box], after: Mapping[uuid.UUID, list[uuid.UUID]]) -> list[str]:
    """Return a curve from the right side of each box to those that wait for it."""
    by_id = {box.task.pk: box for box in boxes}
    paths = []
    for box in boxes:
        for on_id in after[box.task.pk]:
            before = by_id[on_id]
            x1, y1 = before.x + WIDTH, before.y + HEIGHT // 2
            x2, y2 = box.x, box.y + HEIGHT // 2
            middle = (x1 + x2) // 2
            paths.append(f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}")
    return paths


def _bars(
    batch: Batch,
    tasks: Sequence[Task],
    after: Mapping[uuid.UUID, list[uuid.UUID]],
    url_of: Callable[[Task], str],
) -> tuple[list[Bar], float]:
    """Return the bars of the time axis, and how many seconds that is long."""
    now = timezone.now()
    names = {task.pk: task.node or "" for task in tasks}
    ends = [task.finished_at or (now if task.started_at else None) for task in tasks]
    last = max((end for end in ends if end), default=now)
    seconds = max(0.001, (last - batch.created_at).total_seconds())
    bars = []
    for task, end in zip(tasks, ends, strict=True):
        start = task.started_at
        x = None if start is None else _share(start - batch.created_at, seconds)
        length = (end - start) if start and end else dt.timedelta(0)
        bars.append(
            Bar(
                task=task,
                url=url_of(task),
                after=", ".join(names[on_id] for on_id in after[task.pk]),
                x=x,
                width=max(NARROWEST, _share(length, seconds)),
            )
        )
    return bars, seconds


def _share(length: dt.timedelta, seconds: float) -> float:
    return round(min(1.0, max(0.0, length.total_seconds() / seconds)) * AXIS, 1)
