"""Sentences of a text, cut so that each can stand in a summary."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PARAGRAPH = re.compile(r"\n\s*\n")
_TERMINATED = re.compile(r"[.!?…。！？।؟։][\"'»”’)\]]*$")
# Abbreviations before names, and initials: ICU would end a sentence after them.
_OPEN_END = re.compile(
    r"(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Gov|Sen|Rep|Lt|Col|Capt|No|vs|cf|approx"
    r"|Nr|Hr|Fr|bzw|ca|Mme|Sra?|[^\W\d_](?:\.[^\W\d_])*)\.$"
)
_LONGEST_HEADING = 100


def sentences(text: str, language: str | None) -> list[str]:
    """Return the sentences in order; headings only if there is nothing else."""
    paragraphs = [" ".join(part.split()) for part in _PARAGRAPH.split(text)]
    paragraphs = [part for part in paragraphs if part]
    prose = [part for part in paragraphs if not _is_heading(part)]
    return [
        sentence
        for paragraph in prose or paragraphs
        for sentence in _of_paragraph(paragraph, language or "en")
    ]


def _is_heading(paragraph: str) -> bool:
    return len(paragraph) <= _LONGEST_HEADING and not _TERMINATED.search(paragraph)


def _of_paragraph(paragraph: str, language: str) -> Iterator[str]:
    # Imported late: workers that summarise no text need not load ICU's dictionaries.
    from icu4py.breakers import SentenceBreaker

    sentence = ""
    for part in SentenceBreaker(paragraph, f"{language}@ss=standard"):
        if sentence and (_OPEN_END.search(sentence.rstrip()) or part[:1].islower()):
            sentence += part
            continue
        if sentence:
            yield sentence.strip()
        sentence = part
    if sentence.strip():
        yield sentence.strip()
