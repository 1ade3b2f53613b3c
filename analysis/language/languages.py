"""Languages: detection, and those with stop words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache

from analysis.language.spelling import composed, without_emoji

_CODES = """
af ar bg bn br ca cs da de el en eo es et eu fa fi fr ga gl gu ha he hi hr hu hy id it ja ko
ku la lt lv mr ms nl no pl pt ro ru sk sl so st sv sw th tl tr uk ur vi yo zh zu
"""
# ISO 639-1 codes of the languages with stop words.
SUPPORTED = tuple(_CODES.split())

# Of a long text these are read. More would not make the answer better, and the more a text repeats
# itself, the less sure the detector is.
_PIECES, _PIECE_CHARACTERS = 8, 500
# Of answers with a smaller share of the probability, four in five are wrong.
_LEAST_SHARE = 0.1
# The detector's code for what is not language: identifiers, base64, pictures.
_NO_LANGUAGE = "zxx"
# The stop words are those of both written forms of Norwegian.
_RENAMED = {"nn": "no"}

_Ranker = Callable[[str], list[tuple[str, float]]]

_loading = threading.Lock()


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

    The code may be outside `SUPPORTED`. The first call in a process takes a second and 100 MB.
    """
    sample = without_emoji(" ".join(_sample(text).split()))
    if not any(map(str.isalpha, sample)):
        return None
    # In lower case, because titles and first words are written as in the middle of a sentence; with
    # blanks around it, because they show that the first and the last letters begin and end words.
    ranking = _ranker()(f" {composed(sample.lower())} ")
    if ranking[0][0] == _NO_LANGUAGE:
        return None
    # Dialects have codes of three letters, and are left out.
    languages = [answer for answer in ranking if len(answer[0]) == 2]
    code, probability = languages[0]
    if probability < _LEAST_SHARE * sum(probability for _, probability in languages):
        return None
    return _RENAMED.get(code, code)


def _sample(text: str) -> str:
    """Return pieces from all over a text, from its beginning to its end."""
    if len(text) <= _PIECES * _PIECE_CHARACTERS:
        return text
    step = (len(text) - _PIECE_CHARACTERS) // (_PIECES - 1)
    starts = range(0, _PIECES * step, step)
    return " ".join(text[start : start + _PIECE_CHARACTERS] for start in starts)


def _ranker() -> _Ranker:
    # Threads that analyse their first texts at the same time load the tables once.
    with _loading:
        return _load()


@cache
def _load() -> _Ranker:
    # Imported late: workers that analyse no text need not load the detector's tables.
    from py3langid.langid import (  # type: ignore[import-untyped]
        MODEL_FILE,
        LanguageIdentifier,
    )

    rank: _Ranker = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).rank
    return rank
