"""Stop words: frequent words of a language, found in texts of every subject."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from analysis.language.spelling import JOINER, readable

# The English lists of both libraries also have "system", "computer" and "world". Snowball's has
# function words only, but lacks modal verbs and contractions such as "don't".
_ENGLISH = Path(__file__).parent / "snowball" / "en.txt"
_MISSING_IN_ENGLISH = "also cannot could may might must shall upon us would"

# For these, stop-words has the better list: that of stopwords-iso has nouns ("работа", "sistema",
# "Jahr") or, for Ukrainian, lacks the most frequent prepositions.
_FROM_STOP_WORDS = frozenset({"de", "fr", "it", "pt", "ru", "uk"})


def is_stop_word(word: str, language: str | None) -> bool:
    """Return whether a word of `words.count` is a stop word or a compound of stop words.

    Without a language no word is one.
    """
    if language is None:
        return False
    if word.endswith("'"):
        # Only an elided word ends with an apostrophe: the article of "l'homme".
        return True
    stop_words = _stop_words(language)
    word = _key(word, language)
    return word in stop_words or ("-" in word and stop_words.issuperset(word.split("-")))


@lru_cache(maxsize=64)
def _stop_words(language: str) -> frozenset[str]:
    spellings = (readable(word, language).replace(JOINER, "-") for word in _listed(language))
    return frozenset(_key(word, language) for word in spellings)


def _listed(language: str) -> set[str]:
    # Imported late: stopwordsiso reads the lists of all languages at once.
    import stop_words  # type: ignore[import-untyped]
    import stopwordsiso

    if language in _FROM_STOP_WORDS:
        return set(stop_words.get_stop_words(language, cache=False))
    listed: set[str] = stopwordsiso.stopwords(language)
    if language == "en":
        contractions = {word for word in listed if "'" in word}
        snowball = _ENGLISH.read_text(encoding="utf-8").split()
        return contractions.union(snowball, _MISSING_IN_ENGLISH.split())
    return listed


def _key(word: str, language: str) -> str:
    """Return the form that a word is looked up by: in Greek without accents, as in its list."""
    if language != "el":
        return word
    # Letter by letter: putting the accents of a long word in order would take quadratic time.
    letters = (part for letter in word for part in unicodedata.normalize("NFD", letter))
    return "".join(filter(str.isalpha, letters)).replace("ς", "σ")
