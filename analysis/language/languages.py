"""Languages: detection, and those with stop words."""

from __future__ import annotations

_CODES = """
af ar bg bn br ca cs da de el en eo es et eu fa fi fr ga gl gu ha he hi hr hu hy id it ja ko
ku la lt lv mr ms nl no pl pt ro ru sk sl so st sv sw th tl tr uk ur vi yo zh zu
"""
# ISO 639-1 codes of the languages with stop words.
SUPPORTED = tuple(_CODES.split())

# A longer sample would not change the result.
_SAMPLE_CHARACTERS = 50_000
# Codes of the detector that differ from ours: old ones, and those of close relatives.
_RENAMED = {"iw": "he", "nb": "no", "nn": "no", "sco": "en"}
# The detector's codes for "unknown" and for "this script, in any language".
_NO_LANGUAGE = frozenset({"un", "xx"})


class UnknownLanguage(ValueError):
    """The language has no stop words here."""


def require(language: str) -> None:
    """Raise UnknownLanguage if there are no stop words for a language."""
    if language not in SUPPORTED:
        raise UnknownLanguage(
            f"{language!r} is not one of the supported languages: {', '.join(SUPPORTED)}."
        )


def detect(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, None if it cannot be detected.

    The code may be outside `SUPPORTED`, unless it is only a guess for a short text.
    """
    sample = " ".join(text[:_SAMPLE_CHARACTERS].split())
    if not sample.isprintable():
        # The detector refuses control characters and other unprintable ones.
        sample = "".join(filter(str.isprintable, sample))
    detected = _most_likely(sample, guess=False)
    if detected:
        return detected
    guess = _most_likely(sample, guess=True)
    return guess if guess in SUPPORTED else None


def _most_likely(sample: str, *, guess: bool) -> str | None:
    # Imported late: workers that analyse no text need not load the detector's tables.
    import pycld2  # type: ignore[import-untyped]

    _, _, ranking = pycld2.detect(sample, bestEffort=guess)
    detected = ranking[0][1].partition("-")[0]
    code: str = _RENAMED.get(detected, detected)
    return code if len(code) == 2 and code not in _NO_LANGUAGE else None
