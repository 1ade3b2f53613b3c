"""Which language a text is in."""

from __future__ import annotations

_CODES = """
af ar bg bn br ca cs da de el en eo es et eu fa fi fr ga gl gu ha he hi hr hu hy id it ja ko
ku la lt lv mr ms nl no pl pt ro ru sk sl so st sv sw th tl tr uk ur vi yo zh zu
"""
# ISO 639-1 codes of the languages for which there are stop words.
SUPPORTED = tuple(_CODES.split())

# More than this much of a text does not change the answer.
_SAMPLE_CHARACTERS = 50_000
# The detector's names where they differ from ours: old codes, and close relatives.
_RENAMED = {"iw": "he", "nb": "no", "nn": "no", "sco": "en"}
# The detector's names for "unknown" and for "this script, whatever the language".
_NO_LANGUAGE = frozenset({"un", "xx"})


class UnknownLanguage(ValueError):
    """The language is not one of `SUPPORTED`."""


def require(language: str) -> None:
    """Raise UnknownLanguage unless there are stop words for the language."""
    if language not in SUPPORTED:
        raise UnknownLanguage(
            f"{language!r} is not among the languages known here: {', '.join(SUPPORTED)}."
        )


def detect(text: str) -> str | None:
    """Return the ISO 639-1 code of the language a text is in, or None where nothing tells.

    The code may lie outside `SUPPORTED`; a mere guess at a short text never does.
    """
    sample = " ".join(text[:_SAMPLE_CHARACTERS].split())
    if not sample.isprintable():
        # The detector refuses control characters and the like.
        sample = "".join(filter(str.isprintable, sample))
    sure = _most_likely(sample, guess=False)
    if sure:
        return sure
    guess = _most_likely(sample, guess=True)
    return guess if guess in SUPPORTED else None


def _most_likely(sample: str, *, guess: bool) -> str | None:
    # Imported late: a worker that analyses no text need not hold the detector's tables.
    import pycld2  # type: ignore[import-untyped]

    _, _, ranking = pycld2.detect(sample, bestEffort=guess)
    found = ranking[0][1].partition("-")[0]
    code: str = _RENAMED.get(found, found)
    return code if len(code) == 2 and code not in _NO_LANGUAGE else None
