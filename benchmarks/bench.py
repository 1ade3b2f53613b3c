"""State that the rows of a benchmark share: the server, the scale, and what was skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from benchmarks.children import run
from benchmarks.cluster import Cluster, driver_environment
from benchmarks.systems.system import Site, System

SCHEMA_SECONDS = 120.0

Measured = TypeVar("Measured", bound=System | Site)


@dataclass
class Bench:
    """One run of the benchmark."""

    cluster: Cluster
    repeat: int
    scale: float
    log: Callable[[str], None]
    skipped: dict[str, str] = field(default_factory=dict)

    def count(self, full: int, *, least: int = 1) -> int:
        """Return a count for a run of this scale."""
        return max(int(full * self.scale), least)

    def seconds(self, full: float) -> float:
        """Return a duration for a run of this scale."""
        return max(full * self.scale, 1.0)

    def present(self, systems: Sequence[Measured]) -> list[Measured]:
        """Return the systems that can run, and record why the others cannot."""
        present = []
        for system in systems:
            if reason := system.missing():
                if system.name not in self.skipped:
                    self.log(f"skipped: {system.name}: {reason}")
                self.skipped[system.name] = reason
            else:
                present.append(system)
        return present

    @contextmanager
    def template(self, system: System | Site) -> Iterator[str]:
        """Create a database with a system's tables, to copy for each run; yield its name."""
        name = "template_" + "".join(c if c.isalnum() else "_" for c in system.name.lower())
        with self.cluster.database(name) as url:
            with running_services(system) as (environment, scratch):
                run(
                    system.create_schema(),
                    environment={**environment, **driver_environment(url)},
                    log=scratch / "schema.log",
                    limit=SCHEMA_SECONDS,
                )
            yield name

    @contextmanager
    def templates(self, systems: Sequence[Measured]) -> Iterator[dict[str, str]]:
        """Create every system's template; yield the databases by the systems' names."""
        with ExitStack() as databases:
            yield {
                system.name: databases.enter_context(self.template(system)) for system in systems
            }

    @contextmanager
    def fresh(
        self, system: System | Site, template: str, *, name: str = "run"
    ) -> Iterator[tuple[dict[str, str], Path]]:
        """Copy the template, run the system's services; yield environment and scratch directory."""
        with (
            self.cluster.database(name, template=template) as url,
            running_services(system) as (services, scratch),
        ):
            yield {**services, **driver_environment(url)}, scratch


@contextmanager
def running_services(system: System | Site) -> Iterator[tuple[Mapping[str, str], Path]]:
    """Run what a system needs beside Postgres; yield its environment and a scratch directory."""
    with TemporaryDirectory(prefix="benchmark-") as directory:
        scratch = Path(directory)
        with system.services(scratch) as environment:
            yield environment, scratch
