"""References: inputs that name the results of other tasks, which are not known yet.

`{"$result": "fetch.body.items"}` stands for a part of the result of the task `fetch` of the same
workflow; `{"$item": "url"}` for a part of the item of a list, in a task that is repeated for each;
`{"$batch": "failed"}` for a fact about the batch that a task follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tasks.errors import FieldError, InvalidInput

RESULT, ITEM, BATCH = "$result", "$item", "$batch"
NODE_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
NODE_RULE = "Use at most 60 letters, digits, underscores and hyphens."
# What can be named of a batch.
BATCH_FACTS = ("id", "total", "completed", "failed", "cancelled", "results")
DEPTH = 20


class Reference(NamedTuple):
    """A reference: its word, the node or fact it names, the place in that, and its own place."""

    word: str
    name: str
    path: tuple[str, ...]
    place: str

    def document(self) -> dict[str, str]:
        """Return the object that it is in an input."""
        name = () if self.word == ITEM else (self.name,)
        return {self.word: ".".join((*name, *self.path))}


def references_in(value: Any, *, place: str = "input") -> Iterator[Reference]:
    """Yield the references in a document; raise InvalidInput for one that is not well formed."""
    if isinstance(value, Mapping):
        if reference := _reference(value, place):
            yield reference
            return
        for name, part in value.items():
            yield from references_in(part, place=f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from references_in(part, place=f"{place}.{number}")


def replaced(value: Any, look_up: Callable[[Reference], Any], *, place: str = "input") -> Any:
    """Return a document with what its references stand for; raise InvalidInput."""
    if isinstance(value, Mapping):
        if reference := _reference(value, place):
            return look_up(reference)
        return {
            name: replaced(part, look_up, place=f"{place}.{name}") for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            replaced(part, look_up, place=f"{place}.{number}") for number, part in enumerate(value)
        ]
    return value


def part_of(document: Any, reference: Reference) -> Any:
    """Return the part of a result or an item that a reference names; raise InvalidInput.

    Of a task that has no result, because its failure is allowed, every part is null.
    """
    if document is None:
        return None
    value = document
    for step in reference.path:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            named = ".".join((reference.name, *reference.path)).strip(".")
            mistake = f"There is no {named}: {step} is missing."
            raise InvalidInput([FieldError(reference.place, mistake)])
    return value


def _reference(value: Mapping[str, Any], place: str) -> Reference | None:
    """Return the reference that an object is, None if it is none; raise InvalidInput."""
    words = value.keys() & {RESULT, ITEM, BATCH}
    if not words:
        return None
    word = words.pop()
    named = value[word]
    if len(value) > 1 or not isinstance(named, str):
        mistake = f"A reference is an object with the one field {word}, whose value is a text."
        raise InvalidInput([FieldError(place, mistake)])
    steps = tuple(named.split(".")) if named else ()
    if len(steps) > DEPTH:
        raise InvalidInput([FieldError(place, f"A reference has at most {DEPTH} names.")])
    if word == ITEM:
        return Reference(word, "item", steps, place)
    if not steps or not all(steps):
        raise InvalidInput([FieldError(place, f"Use a name, or names joined by dots, in {word}.")])
    if word == BATCH and named not in BATCH_FACTS:
        facts = ", ".join(BATCH_FACTS)
        raise InvalidInput([FieldError(place, f"Of a batch use one of {facts}.")])
    return Reference(word, steps[0], steps[1:], place)
