"""What the rows of a benchmark share: the server, how much to do, and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.children import run
from benchmarks.cluster import Cluster, reach
from benchmarks.systems.system import Site, System

SCHEMA_SECONDS = 120.0

One = TypeVar("One", System, Site)


@dataclass
class Bench:
    """One run of the benchmark."""

    cluster: Cluster
    repeat: int
    scale: float
    tell: Callable[[str], None]
    skipped: dict[str, str] = field(default_factory=dict)

    def count(self, full: int, *, least: int = 1) -> int:
        """Return how many of something a run of this scale takes."""
        return max(int(full * self.scale), least)

    def seconds(self, full: float) -> float:
        """Return how long something is measured in a run of this scale."""
        return max(full * self.scale, 1.0)

    def present(self, systems: Sequence[One]) -> list[One]:
        """Return those that can run, and note why the others cannot."""
        found = []
        for one in systems:
            if why := one.missing():
                if one.name not in self.skipped:
                    self.tell(f"skipped: {one.name}: {why}")
                self.skipped[one.name] = why
            else:
                found.append(one)
        return found

    @contextmanager
    def template(self, system: System | Site) -> Iterator[str]:
        """Make a database with a system's tables, to be copied for each run; its name."""
        name = "template_" + "".join(c if c.isalnum() else "_" for c in system.name.lower())
        with self.cluster.database(name) as url:
            with running_services(system) as (environment, scratch):
                run(
                    system.create_schema(),
                    environment={**environment, **reach(url)},
                    log=scratch / "schema.log",
                    limit=SCHEMA_SECONDS,
                )
            yield name

    @contextmanager
    def templates(self, systems: Sequence[One]) -> Iterator[dict[str, str]]:
        """Make every system's template; the databases by the systems' names."""
        with ExitStack() as databases:
            yield {one.name: databases.enter_context(self.template(one)) for one in systems}

    @contextmanager
    def fresh(
        self, system: System | Site, template: str, *, name: str = "run"
    ) -> Iterator[tuple[dict[str, str], Path]]:
        """Copy the template and run the system's services; environment and scratch directory."""
        with (
            self.cluster.database(name, template=template) as url,
            running_services(system) as (services, scratch),
        ):
            yield {**services, **reach(url)}, scratch


@contextmanager
def running_services(system: System | Site) -> Iterator[tuple[Mapping[str, str], Path]]:
    """Run what a system needs beside Postgres, in scratch that goes with it."""
    with TemporaryDirectory(prefix="benchmark-") as directory:
        scratch = Path(directory)
        with system.services(scratch) as environment:
            yield environment, scratch
