from __future__ import annotations

import argparse
import builtins
import datetime
import decimal
import gettext
import inspect
import json
import logging
import pathlib
import re
import subprocess
import unicodedata
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

import django
import pytest
import stopwordsiso
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.language import languages
from analysis.text.handler import INPUT, analyze

ENGLISH_STOP_WORDS = frozenset(
    (Path(languages.__file__).parent / "snowball" / "en.txt").read_text().split()
)

GREATEST_LENGTH = INPUT["properties"]["text"]["maxLength"]
REAL_LANGUAGES = "ar bg bn ca cs da de el es et fa fi fr he hi hu hy id it lt nl pl pt ru sv tr uk"


def real_text(language: str) -> str:
    """Return the messages of Django in a language: several hundred real sentences."""
    messages: dict[str, None] = {}
    root = Path(django.__file__).parent
    for path in sorted(root.glob(f"**/locale/{language}/LC_MESSAGES/*.mo")):
        with path.open("rb") as file:
            # The key of the header is empty.
            catalog: dict[Any, str] = vars(gettext.GNUTranslations(file))["_catalog"]
        messages |= dict.fromkeys(text for key, text in catalog.items() if key)
    return "\n\n".join(re.sub(r"%\(\w+\)\w|%\w|<[^>]*>|&\w+;", " ", text) for text in messages)


def letters_only(text: str) -> str:
    """Replace all characters but letters and their marks by spaces."""
    kept = (c if unicodedata.category(c)[0] in "LM" else " " for c in text)
    return unicodedata.normalize("NFC", "".join(kept))


@pytest.fixture(scope="module")
def prose() -> str:
    """Return several hundred kilobytes of English: docstrings of the standard library."""
    modules = (argparse, builtins, datetime, decimal, logging, pathlib, subprocess, unittest)
    values = [value for module in modules for value in vars(module).values()]
    members = [m for value in values if isinstance(value, type) for m in vars(value).values()]
    texts = (inspect.getdoc(value) for value in (*modules, *values, *members))
    return "\n\n".join(filter(None, texts))


def counts(word_count: int, **others: object) -> dict[str, object]:
    zero = {
        "word_count": word_count,
        "top_words": [],
        "top_counts": [],
        "unique_words": 0,
        "total_words": 0,
        "stop_words_removed": 0,
        "sentences": 0,
        "characters": 0,
        "language": None,
    }
    return zero | others


def test_the_documented_example_has_the_documented_result() -> None:
    text = "Data: the data of an analysis. Data analysis by async tasks, async! A task? One system."
    result = analyze(text)
    assert result["top_words"] == ["data", "analysis", "async", "tasks", "task"]
    assert result["top_counts"] == [3, 2, 2, 1, 1]
    words = text.lower().translate(str.maketrans("", "", ":.,!?")).split()
    assert result["total_words"] == len(words)
    assert result["word_count"] == len([w for w in words if w not in ENGLISH_STOP_WORDS])
    assert (result["sentences"], result["language"]) == (4, "en")


@pytest.mark.parametrize("word", ["system", "computer", "world", "research", "text", "work"])
def test_english_nouns_and_verbs_are_not_stop_words(word: str) -> None:
    assert analyze(f"the {word} of it", "en")["top_words"] == [word]


def test_the_counts_of_a_long_english_text_equal_those_by_split(prose: str) -> None:
    text = re.sub("[^a-z]+", " ", prose.lower())
    expected = Counter(text.split())
    result = analyze(text, "en")
    assert len(text) > 200_000
    assert result["total_words"] == expected.total()
    removed = analyze(" ".join(sorted(expected)), "en")["stop_words_removed"]
    assert removed == len(expected) - result["unique_words"]
    kept = [(w, n) for w, n in expected.items() if analyze(w, "en")["word_count"]]
    assert result["word_count"] == sum(n for _, n in kept)
    # `sorted` is stable: equally frequent words stay in the order of their first occurrence.
    ranking = sorted(kept, key=lambda item: -item[1])[:5]
    assert list(zip(result["top_words"], result["top_counts"], strict=True)) == ranking


@pytest.mark.parametrize("language", REAL_LANGUAGES.split())
def test_the_language_of_a_real_text_is_detected_and_its_words_are_counted(language: str) -> None:
    text = real_text(language)
    assert len(text) > 10_000
    assert languages.detect(text) == language
    text = letters_only(text)
    result = analyze(text)
    assert result["language"] == language
    assert result["total_words"] == len(text.split())
    assert 0.05 < result["stop_words_removed"] / result["total_words"] < 0.65


@pytest.mark.parametrize(
    ("text", "language", "top"),
    [
        ("I don’t know, don't ask: it’s state-of-the-art, isn't it?", "en",
         {"know": 1, "ask": 1, "state-of-the-art": 1}),
        ("She'll e-mail 3,000 e-mails at 9.5%; we could not e-mail.", "en",
         {"e-mail": 2, "3,000": 1, "e-mails": 1, "9.5": 1}),
        ("Up-to-date news on and off-line: news—and ‘news’.", "en",
         {"news": 3, "up-to-date": 1, "off-line": 1}),
        ("Die STRASSE ist groß. Straße und Straße!", "de",
         {"straße": 2, "strasse": 1, "groß": 1}),
        ("L’homme et l'homme d'aujourd’hui, qu'il n'est : est-ce l'homme ?", "fr",
         {"homme": 3, "aujourd'hui": 1}),
        ("L'acqua dell'università è nell'acqua.", "it", {"acqua": 2, "università": 1}),
        ("¿Y el perro? ¡El perro con su dueño corre!", "es",
         {"perro": 2, "dueño": 1, "corre": 1}),
        ("Погода, погода и ПОГОДА; город.", "ru", {"погода": 3, "город": 1}),
        ("Η ΟΔΟΣ και ο δρόμος· ο δρόμος της Αθήνας.", "el",
         {"δρόμος": 2, "οδος": 1, "αθήνας": 1}),
        ("IĞDIR ve İzmir; ığdır ve izmir.", "tr", {"ığdır": 2, "izmir": 2}),
        ("İzmir is not Izmir.", "en", {"izmir": 2}),
        ("اللُّغَةُ العَرَبِيَّةُ، اللغة العربيـــة مِنَ اللغة", "ar", {"اللغة": 3, "العربية": 2}),
        ("שָׁלוֹם לך, שלום של צה״ל", "he", {"שלום": 2, "לך": 1, "צה״ל": 1}),
        ("हिन्दी और हिन्दी पढ़ता क्षेत्र।", "hi", {"हिन्दी": 2, "पढ़ता": 1, "क्षेत्र": 1}),
        ("ภาษาไทยและอาหารไทย", "th", {"ไทย": 2, "ภาษา": 1, "อาหาร": 1}),
        ("我们在北京大学学习中文。北京大学。", "zh", {"北京": 2, "大学": 2, "学习": 1, "中文": 1}),
        ("私は東京大学で日本語を学ぶ。東京大学。", "ja",
         {"東京": 2, "大学": 2, "日本語": 1, "学ぶ": 1}),
        ("한국어를 공부합니다. 한국어를", "ko", {"한국어를": 2, "공부합니다": 1}),
        ("яблука п’яні, пʼяні та п'яні", "uk", {"п'яні": 3, "яблука": 1}),
        ("Cafe\u0301 café CAFÉ", "en", {"café": 3}),
        ("co\u00adoperate cooperate", "en", {"cooperate": 2}),
        ("task:queue http://example.org/a_b #tag 🎉 👩‍💻", "en",
         {"task": 1, "queue": 1, "http": 1, "example.org": 1, "a_b": 1}),
    ],
)  # fmt: skip
def test_words_are_spelt_as_their_language_writes_them(
    text: str, language: str, top: dict[str, int]
) -> None:
    result = analyze(text, language)
    assert dict(zip(result["top_words"], result["top_counts"], strict=True)) == top


def test_the_five_most_frequent_words_are_returned_with_ties_by_first_occurrence() -> None:
    result = analyze("zebra apple mango apple kiwi fig plum zebra lime", "en")
    assert result["top_words"] == ["zebra", "apple", "mango", "kiwi", "fig"]
    assert (result["word_count"], result["unique_words"]) == (9, 7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", counts(0)),
        (" \n\t ", counts(0, characters=4)),
        ("?! … — 🎉", counts(0, characters=8)),
        ("1️⃣ 2⃣ #️⃣ *️⃣ ℹ️", counts(0, characters=17)),
        ("It is what it is.", counts(0, total_words=5, stop_words_removed=5, sentences=1,
                                     characters=17, language="en")),
    ],
)  # fmt: skip
def test_a_text_without_words_has_counts_of_zero(text: str, expected: dict[str, object]) -> None:
    assert analyze(text) == expected


def test_emoji_of_digits_are_no_words_and_do_not_join_those_beside_them() -> None:
    result = analyze("step1️⃣two 3️⃣4 5️⃣.", "en")
    assert result["top_words"] == ["step", "two", "4"]
    assert (result["total_words"], result["sentences"]) == (3, 1)


def test_no_stop_words_are_removed_when_the_language_is_unknown() -> None:
    result = analyze("1 2 3")
    assert (result["language"], result["word_count"], result["stop_words_removed"]) == (None, 3, 0)


def test_sentences_end_at_full_stops_and_blank_lines_but_not_at_line_breaks() -> None:
    assert (
        analyze("One sentence\nset in\r\nthree lines. Another?\n\nA title\n \nLast")["sentences"]
        == 4
    )


def test_invalid_characters_separate_words() -> None:
    result = analyze("hello \ud800 wor\x00ld \ufdd0", "en")
    assert result["top_words"] == ["hello", "wor", "ld"]
    assert analyze("\x07\x00\ud83d")["language"] is None


def test_a_letter_with_endless_marks_is_one_word_in_any_order() -> None:
    for marks in ("\u0301\u0323", "\u0323\u0301"):
        result = analyze(f"e{marks * 20_000} el", "el")
        assert (result["total_words"], result["characters"]) == (2, 40_004)


def test_up_to_thirty_marks_on_a_letter_are_put_in_order() -> None:
    [word] = analyze("x" + "\u0301\u0323" * 15, "en")["top_words"]
    assert word == "x" + "\u0323" * 15 + "\u0301" * 15


def test_a_very_long_word_is_shortened() -> None:
    (word,) = analyze("A" * 100_000)["top_words"]
    assert word == "a" * 99 + "…"


@given(st.text())
@example("İ-I'ß")
@example("'' - ‧ a‧-b")
def test_the_counts_of_any_text_add_up(text: str) -> None:
    result = analyze(text)
    assert result["word_count"] + result["stop_words_removed"] == result["total_words"]
    assert len(result["top_words"]) == len(result["top_counts"]) == min(5, result["unique_words"])
    assert sum(result["top_counts"]) <= result["word_count"]
    assert sorted(result["top_counts"], reverse=True) == result["top_counts"]
    assert result["characters"] == len(text)
    assert len(set(result["top_words"])) == len(result["top_words"])
    assert "\\u0000" not in json.dumps(result)
    assert result == analyze(text)


@given(st.lists(st.sampled_from(["zebra", "kiwi", "fig", "plum", "lime", "pear", "the", "of"])))
def test_top_words_are_sorted_by_frequency_then_by_first_occurrence(tokens: list[str]) -> None:
    kept = [token for token in tokens if token not in {"the", "of"}]
    result = analyze(" ".join(tokens), "en")
    ranking = sorted(dict.fromkeys(kept), key=lambda word: (-kept.count(word), kept.index(word)))
    assert result["top_words"] == ranking[:5]
    assert result["word_count"] == len(kept)


def test_a_text_of_the_greatest_length_has_the_counts_of_its_parts(prose: str) -> None:
    copies = GREATEST_LENGTH // (len(prose) + 2)
    single, repeated = analyze(prose), analyze("\n\n".join([prose] * copies))
    assert copies > 1
    assert repeated["top_words"] == single["top_words"]
    assert repeated["top_counts"] == [copies * count for count in single["top_counts"]]
    assert repeated["unique_words"] == single["unique_words"]
    for name in ("word_count", "total_words", "stop_words_removed", "sentences"):
        assert repeated[name] == copies * single[name]


@pytest.mark.parametrize(
    ("sentence", "total", "words"),
    [
        ("我们在北京大学学习中文。", 6, ["北京", "大学", "学习", "中文"]),
        ("ภาษาไทย", 2, ["ภาษา", "ไทย"]),
        ("l'homme est là. ", 4, ["homme"]),
    ],
)
def test_words_are_cut_alike_throughout_a_text_of_the_greatest_length(
    sentence: str, total: int, words: list[str]
) -> None:
    copies = GREATEST_LENGTH // len(sentence)
    result = analyze(sentence * copies)
    assert result["total_words"] == total * copies
    assert (result["top_words"], result["top_counts"]) == (words, [copies] * len(words))


@pytest.mark.parametrize(("unit", "word_count"), [("a-", 1), ("l'", 1), ("e\u0301", 1), ("\n", 0)])
def test_a_text_of_the_greatest_length_without_word_breaks_has_at_most_one_word(
    unit: str, word_count: int
) -> None:
    result = analyze(unit * (GREATEST_LENGTH // len(unit)))
    assert (result["word_count"], result["total_words"]) == (word_count, word_count)


def test_every_supported_language_has_stop_words() -> None:
    assert set(languages.SUPPORTED) == stopwordsiso.langs()
    for language in languages.SUPPORTED:
        assert analyze("word", language)["language"] == language
