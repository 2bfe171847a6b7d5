import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.text import (
    PLACEHOLDERS,
    capitalize,
    is_word,
    match_case,
    normalization_rules,
    recent,
    sentence_starts,
    split_messages,
    split_partial,
    split_words,
)

RULES = normalization_rules()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("don't stop...now", ["don't", "stop", "...", "now"]),
        ("a well-known 'quote'", ["a", "well-known", "'", "quote", "'"]),
        ("see www.example.com/a?b=1.", ["see", "<url>", "."]),
        ("https://x.org, ok", ["<url>", ",", "ok"]),
        ("mail me@example.org now", ["mail", "<email>", "now"]),
        ("thanks @anna_b!", ["thanks", "@user", "!"]),
        ("call +1 (555) 123-4567", ["call", "<number>"]),
        ("at 10:30 or 3.5", ["at", "10:30", "or", "3.5"]),
        ("the U.S. and p.m.", ["the", "U.S.", "and", "p.m."]),
        ("I <3 u :)", ["I", "<3", "u", ":)"]),
        ("ok😀😀", ["ok", "😀", "😀"]),
        ("what?! no", ["what", "?!", "no"]),
        ("<name> and @user", ["<name>", "and", "@user"]),
        ("שלום עולם", ["שלום", "עולם"]),
        ("", []),
    ],
)
def test_words_and_marks_stand_alone(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@given(st.text())
def test_no_visible_character_is_lost(text: str) -> None:
    text = text.replace("@", "").replace("/", "").replace("www.", "")
    digits = sum(character.isdigit() for character in text)
    if digits < 7:
        assert "".join("".join(split_words(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("message", "finished", "partial"),
    [
        ("Hello wor", "Hello ", "wor"),
        ("Hello ", "Hello ", ""),
        ("I don'", "I ", "don'"),
        ("I don’t", "I ", "don’t"),
        ("well-kn", "", "well-kn"),
        ("(th", "(", "th"),
        ("yes,no", "yes,", "no"),
        ("room 5", "room 5", ""),
        ("2n", "", "2n"),
        ("oh -", "oh -", ""),
        ("it's--th", "it's--", "th"),
        ("wor\u200d", "", "wor\u200d"),
        ("", "", ""),
    ],
)
def test_partial_word(message: str, finished: str, partial: str) -> None:
    assert split_partial(message) == (finished, partial)


@given(st.text())
def test_split_partial_takes_nothing_away(message: str) -> None:
    finished, partial = split_partial(message)
    assert finished + partial == message


def test_line_breaks_of_every_kind_part_messages() -> None:
    assert split_messages("a\nb\r\nc\u2028d") == ["a", "b", "c", "d"]
    assert split_messages("") == [""]


@pytest.mark.parametrize(
    ("tokens", "positions"),
    [
        ([], [0]),
        (["hello", "there"], [0]),
        (["hello", ".", "there"], [0, 2]),
        (['"', "yes", "!", '"', "she"], [1, 4]),
        (["so", "...", "anyway"], [0]),
        (["stop", "!"], [0, 2]),
    ],
)
def test_sentence_starts(tokens: list[str], positions: list[int]) -> None:
    assert sentence_starts(tokens) == positions


@pytest.mark.parametrize(
    ("word", "typed", "shown"),
    [
        ("the", "th", "the"),
        ("the", "Th", "The"),
        ("the", "TH", "THE"),
        ("the", "T", "The"),
        ("John", "joh", "John"),
        ("I'm", "i", "I'm"),
        ("iPhone", "iph", "iPhone"),
    ],
)
def test_case_follows_the_typist(word: str, typed: str, shown: str) -> None:
    assert match_case(word, typed) == shown


def test_capitalize_leaves_the_rest_alone() -> None:
    assert capitalize("mcDonald") == "McDonald"
    assert capitalize("") == ""


def test_placeholders_are_no_words() -> None:
    assert not any(is_word(placeholder) for placeholder in PLACEHOLDERS)
    assert is_word("don't")
    assert not is_word("10:30")


def test_rules_straighten_and_compose() -> None:
    assert RULES["’"] == "'"
    assert RULES["“"] == '"'
    assert RULES["—"] == "-"
    assert RULES["…"] == "..."
    assert RULES["e\u0301"] == "é"
    assert RULES["\u200b"] == ""
    assert RULES["\u00a0"] == " "
    assert "a" not in RULES


@given(st.characters(exclude_categories=["Cs", "Co", "Cn"]))
def test_rules_are_stable(character: str) -> None:
    """What a rule makes is rewritten no further."""
    once = RULES.get(character, character)
    assert "".join(RULES.get(each, each) for each in once) == once


def test_rules_agree_with_unicode() -> None:
    for character in "ﬁ½ｆＡ①㎏":
        assert RULES[character] == unicodedata.normalize("NFKC", character)


@given(st.integers(0, 100))
def test_recent_stays_where_it_is_while_text_grows(length: int) -> None:
    text = "".join(chr(ord("a") + place % 26) for place in range(length + 1))
    before, after = recent(text[:-1], 8), recent(text, 8)
    assert text.endswith(after)
    assert len(after) >= min(8, len(text))
    assert after == before + text[-1] or len(text) % 8 == 0
