"""The words of a language that carry no meaning of their own."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from analysis.text.spelling import JOINER, readable

# Snowball's lists hold function words only. Where it has none we take stopwords-iso, whose English
# list, for one, would also drop "system", "computer" and "world".
_SNOWBALL = Path(__file__).parent / "snowball"


def is_stop_word(word: str, language: str | None) -> bool:
    """Tell whether a word of `words.count` is a stop word of the language, or a compound of such.

    Without a language no word is.
    """
    if language is None:
        return False
    stop_words = _stop_words(language)
    word = _key(word, language)
    return word in stop_words or ("-" in word and stop_words.issuperset(word.split("-")))


@lru_cache(maxsize=64)
def _stop_words(language: str) -> frozenset[str]:
    # Imported late: it reads the lists of all its languages.
    import stopwordsiso

    listed: set[str] = stopwordsiso.stopwords(language)
    snowball = _SNOWBALL / f"{language}.txt"
    if snowball.exists():
        # Snowball's lists, as PostgreSQL cuts words, have no contractions ("don't").
        contractions = {word for word in listed if "'" in word}
        listed = contractions.union(snowball.read_text(encoding="utf-8").split())
    spelt = (readable(word, language).replace(JOINER, "-") for word in listed)
    return frozenset(_key(word, language) for word in spelt)


def _key(word: str, language: str) -> str:
    """Return what a word is looked up by: for Greek, whose list is unaccented, without accents."""
    if language != "el":
        return word
    letters = unicodedata.normalize("NFD", word)
    return "".join(filter(str.isalpha, letters)).replace("ς", "σ")
