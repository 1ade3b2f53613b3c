"""Options of `manage.py worker`: they have the bounds of the settings that they replace."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import pytest
from django.core.management import CommandError, call_command

from tasks.management.commands.worker import Command


def read(option: str) -> Namespace:
    parser = ArgumentParser()
    Command().add_arguments(parser)
    return parser.parse_args([option])


@pytest.mark.parametrize(("option", "most"), [("processes", 256), ("concurrency", 1000)])
@pytest.mark.parametrize("value", ["0", "-1", "100000", "9" * 21, "many", "", "1.5", "1_0", "٣"])
def test_a_number_out_of_bounds_is_refused_with_them(option: str, most: int, value: str) -> None:
    sentence = f"argument --{option}: {value!r} is not a whole number between 1 and {most}."
    with pytest.raises(CommandError) as refused:
        call_command("worker", f"--{option}={value}")
    assert str(refused.value) == f"Error: {sentence}"
    with pytest.raises(CommandError):
        call_command("worker", f"--{option}={most + 1}")


@pytest.mark.parametrize(("option", "most"), [("processes", 256), ("concurrency", 1000)])
def test_the_least_and_the_greatest_number_are_accepted(option: str, most: int) -> None:
    assert getattr(read(f"--{option}=1"), option) == 1
    assert getattr(read(f"--{option}={most}"), option) == most
