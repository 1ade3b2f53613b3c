"""Sentences of a text, cut so that each can stand in a summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PARAGRAPH = re.compile(r"\n\s*\n")
_TERMINATED = re.compile(r"[.!?…。！？।؟։][\"'»”’)\]]*$")
# Abbreviations before names, and initials: ICU would end a sentence after them.
_OPEN_END = re.compile(
    r"(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Gov|Sen|Rep|Lt|Col|Capt|No|vs|cf|approx"
    r"|Nr|Hr|Fr|bzw|ca|Mme|Sra?|[^\W\d_](?:\.[^\W\d_])*)\.$"
)
# Characters at the end of a sentence in which an abbreviation is looked for.
_LONGEST_END = 64
_LONGEST_HEADING = 100
# A sentence always ends after it, and no paragraph contains it.
_PARAGRAPH_END = "\N{PARAGRAPH SEPARATOR}"


def sentences(text: str, language: str | None) -> list[str]:
    """Return the sentences in order; headings only if there is nothing else."""
    paragraphs = [" ".join(part.split()) for part in _PARAGRAPH.split(text)]
    paragraphs = [part for part in paragraphs if part]
    prose = [part for part in paragraphs if not _is_heading(part)]
    return list(_of_paragraphs(prose or paragraphs, language or "en"))


def _is_heading(paragraph: str) -> bool:
    return len(paragraph) <= _LONGEST_HEADING and not _TERMINATED.search(paragraph)


def _of_paragraphs(paragraphs: Iterable[str], language: str) -> Iterator[str]:
    # Imported late: workers that summarise no text need not load ICU's dictionaries.
    from icu4py.breakers import SentenceBreaker

    # One breaker for all paragraphs: making it takes longer than a page.
    text = _PARAGRAPH_END.join(paragraphs)
    parts: list[str] = []
    end = ""
    for part in SentenceBreaker(text, f"{language}@ss=standard"):
        if parts and not _goes_on(end, part):
            yield "".join(parts).strip()
            parts = []
            end = ""
        parts.append(part)
        end = (end + part)[-_LONGEST_END:]
    if parts:
        yield "".join(parts).strip()


def _goes_on(end: str, following: str) -> bool:
    """Return whether a part continues the sentence of which this is the end."""
    if end.endswith(_PARAGRAPH_END):
        return False
    return following[:1].islower() or _OPEN_END.search(end.rstrip()) is not None
