"""One spelling for each word: how a reader of its language would write it in lower case."""

from __future__ import annotations

import re
import unicodedata

# Hyphens are read as this letter-joining sign while words are cut, and put back after.
JOINER = "\N{HYPHENATION POINT}"

# Never seen, or left out in ordinary writing: soft hyphens, marks of direction, byte order marks;
# the vowel signs and the stretching stroke of Arabic; the points and accents of Hebrew.
_UNWRITTEN = re.compile(
    "[\u00ad\u034f\u061c\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
    "\u0640\u064b-\u0652\u0670"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]+"
)
_EVERYWHERE = (
    ("\N{RIGHT SINGLE QUOTATION MARK}", "'"),
    ("\N{FULLWIDTH APOSTROPHE}", "'"),
    ("-", JOINER),
    ("\N{HYPHEN}", JOINER),
    ("\N{NON-BREAKING HYPHEN}", JOINER),
    # Lower-cased by Unicode's rule it would be an i with two dots.
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
)
_TURKIC = (("I", "\N{LATIN SMALL LETTER DOTLESS I}"),)
_APOSTROPHE_IS_A_LETTER = (("\N{MODIFIER LETTER APOSTROPHE}", "'"),)
# Romanian writes commas below; older texts, for want of them, cedillas.
_ROMANIAN = (("Ş", "Ș"), ("ş", "ș"), ("Ţ", "Ț"), ("ţ", "ț"))
_OF_LANGUAGE = {
    "az": _TURKIC,
    "be": _APOSTROPHE_IS_A_LETTER,
    "ro": _ROMANIAN,
    "tr": _TURKIC,
    "uk": _APOSTROPHE_IS_A_LETTER,
}
# Elsewhere a colon inside a word separates two: "k:a" is Swedish, "task:queue" is not a word.
_COLON_JOINS = frozenset({"fi", "sv"})


def readable(text: str, language: str | None) -> str:
    """Return the text in lower case and composed form (NFC), its apostrophes and hyphens unified.

    Hyphens come out as `JOINER`. What is no character at all (a lone surrogate) becomes "?".
    """
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    for written, meant in (*_EVERYWHERE, *_OF_LANGUAGE.get(language or "", ())):
        # Several times faster than one `translate` over all of them.
        text = text.replace(written, meant)
    if language not in _COLON_JOINS:
        text = text.replace(":", " ")
    return _UNWRITTEN.sub("", text.lower())
