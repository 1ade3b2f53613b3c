from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.language import languages
from analysis.language.languages import detect
from tests.threads import in_threads

# A letter of some 300 characters in each language.
_LETTERS = (Path(__file__).parent / "texts_by_language.txt").read_text(encoding="utf-8")
LETTERS = dict(line.split(" ", 1) for line in _LETTERS.splitlines())
# Written without spaces between words.
UNSPACED = ("ja", "th", "zh")


def pieces(language: str, length: int) -> list[str]:
    """Return pieces of a letter of about this length, from one boundary of words to another."""
    text = LETTERS[language]
    if language in UNSPACED:
        return [text[start : start + length] for start in range(0, len(text) - length + 1, 5)]
    starts = [0, *(place + 1 for place, character in enumerate(text) if character == " ")]
    cuts = [
        text[start : text.rfind(" ", start, start + length + 1)]
        for start in starts
        if start + length < len(text)
    ]
    return [piece for piece in cuts if len(piece) >= 0.6 * length]


@pytest.mark.parametrize(("length", "least"), [(10, 0.82), (30, 0.96), (100, 0.995), (300, 1.0)])
def test_the_language_of_pieces_of_texts_is_detected(length: int, least: float) -> None:
    answers = [(language, detect(p)) for language in LETTERS for p in pieces(language, length)]
    assert len(answers) >= 200
    assert sum(language == answer for language, answer in answers) >= least * len(answers)


@pytest.mark.parametrize("language", LETTERS)
def test_the_language_of_a_letter_is_detected_in_any_spelling(language: str) -> None:
    text = LETTERS[language]
    for written in (
        text,
        text.upper(),
        f"👍🎉 {text} 👩‍💻",
        text.replace(" ", "\r\n\t"),
        text * 99,
    ):
        assert detect(written) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello world", "en"),
        ("Hello World!", "en"),
        ("Where is my order?", "en"),
        ("It is what it is.", "en"),
        ("Wo ist meine Bestellung?", "de"),
        ("Danke schön 👍🎉", "de"),
        ("Où est ma commande ?", "fr"),
        ("¿Cuánto cuesta?", "es"),
        ("Quanto costa?", "it"),
        ("Qual é o preço?", "pt"),
        ("مرحبا بالعالم", "ar"),
        ("שלום עולם", "he"),
        ("我们在學習", "zh"),
    ],
)
def test_the_language_of_a_short_message_is_detected(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Bonjour, where is the nearest station? Merci", "en"),
        ("The cat sat on the mat. Die Katze saß auf der Matte. Sie schlief den ganzen Tag.", "de"),
        ("I like 寿司 a lot, it is very good", "en"),
        ("これはAPIのエラーです。HTTP 500 Internal Server Error", "ja"),
        ("Hello\x00 there, how are\ud800 you doing today?", "en"),
    ],
)
def test_a_mixed_text_has_the_language_of_most_of_it(text: str, language: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "", " \n\t", "1 2 3", "2026-11-27 12:30", "?! … —", "👍", "1️⃣ 2⃣ ℹ️", "\x07\x00\ud83d",
        "OK 👍", "the", "Danke", "A" * 1000, "a-" * 1000, "def f(x): return x + 1",
        '{"task_id": "01a200d2", "status": "PENDING"}', "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ=",
    ],
)  # fmt: skip
def test_what_is_not_a_text_or_could_be_in_several_languages_has_none(text: str) -> None:
    assert detect(text) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Jeg liker ikke å vente på bussen", "no"),
        ("Eg likar ikkje å venta på bussen", "no"),
        ("Зовем се Ана и живим у Београду", "sr"),
        ("አማርኛ የኢትዮጵያ የሥራ ቋንቋ ነው", "am"),
    ],
)
def test_the_code_has_two_letters_and_may_be_one_without_stop_words(
    text: str, language: str
) -> None:
    assert detect(text) == language


def test_threads_that_detect_at_the_same_time_load_the_detector_once() -> None:
    languages._load.cache_clear()
    answers = in_threads(8, lambda: [detect(text) for text in LETTERS.values()])
    assert answers == [list(LETTERS)] * 8
    assert languages._load.cache_info().misses == 1


def test_a_process_that_analyses_no_text_does_not_load_the_detector() -> None:
    code = (
        "import sys, django; django.setup(); from analysis.language import languages; "
        "before = 'numpy' in sys.modules; print(before, languages.detect('How are you today?'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "en"]
