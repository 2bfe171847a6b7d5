import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextword.errors import InputError
from nextword.suggester import Suggester
from nextword.text import fold
from tests.conftest import Trained


@pytest.fixture(scope="module")
def suggester(trained: Trained) -> Suggester:
    return Suggester.open(trained.bundle.path)


def words(suggester: Suggester, text: str, count: int = 3) -> list[str]:
    return [each.text for each in suggester.suggest(text, count).suggestions]


def test_next_words_start_a_sentence_with_a_capital(suggester: Suggester) -> None:
    assert all(word[0].isupper() for word in words(suggester, ""))
    assert all(word[0].isupper() for word in words(suggester, "I saw it. "))
    assert all(word[0].isupper() for word in words(suggester, "I saw it\n"))
    assert not all(word[0].isupper() for word in words(suggester, "I saw ", 5))


def test_every_suggestion_completes_the_prefix_in_its_case(suggester: Suggester) -> None:
    answer = suggester.suggest("I really lov")
    assert answer.prefix == "lov"
    assert all(each.text.startswith("lov") for each in answer.suggestions)
    assert all(word.startswith("Mo") for word in words(suggester, "I saw Mo"))
    assert all(word.startswith("MO") for word in words(suggester, "I saw MO"))
    assert words(suggester, "I thin", 1) == ["think"]


def test_lower_case_i_is_restored(suggester: Suggester) -> None:
    assert "I" in words(suggester, "yes i")


def test_probabilities_are_ordered_and_at_most_one(suggester: Suggester) -> None:
    for text in ["", "I love ", "I lov", "what do you t"]:
        chances = [each.probability for each in suggester.suggest(text, 8).suggestions]
        assert chances == sorted(chances, reverse=True)
        assert 0 < sum(chances) <= 1 + 1e-6


def test_earlier_messages_are_context(suggester: Suggester) -> None:
    alone = suggester.suggest("I love ", 10)
    after = suggester.suggest("have you seen star wars?\nI love ", 10)
    assert [each.probability for each in alone.suggestions] != [
        each.probability for each in after.suggestions
    ] or suggester.manifest.kind == "markov"


def test_count_below_one_is_refused(suggester: Suggester) -> None:
    with pytest.raises(InputError, match="count"):
        suggester.suggest("hello", 0)


HOSTILE = [
    "\x00\x01\x02",
    "a\u0301" * 50,
    "\u0301\u0301",
    "👩‍💻 👨‍👩‍👧 ",
    "مرحبا يا ",
    "שלום",
    "\u202eabc",
    "\ud800",
    "th\u200de",
    "x" * 10_000,
    "日本語 ",
    "hello " * 20_000,
    "\n" * 5000,
    "@ # $ % ^ & *",
    "http://",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_gets_an_answer(suggester: Suggester, text: str) -> None:
    answer = suggester.suggest(text)
    assert len(answer.suggestions) <= 3


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=60), count=st.integers(1, 5))
def test_any_text_gets_distinct_fitting_words(suggester: Suggester, text: str, count: int) -> None:
    answer = suggester.suggest(text, count)
    shown = [fold(each.text) for each in answer.suggestions]
    assert len(shown) == len(set(shown)) <= count
    assert all(word.startswith(fold(answer.prefix)) for word in shown)
    if not answer.prefix:
        assert len(shown) == count


def test_long_text_costs_no_more_than_its_end(suggester: Suggester) -> None:
    """What lies further back than the predictor looks can't change the answer."""
    end = "so we talked about it and then I " * 200
    one, other = (letter * 40_000 + " " + end for letter in "ab")
    assert suggester.suggest(one) == suggester.suggest(other)
